#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>
#include <weft/detail/channel_transport.hpp>
#include <weft/detail/pipe.hpp>
#include <weft/export.hpp>

namespace weft::detail {

/// The callbacks for when a channel is closed; each is called once.
class WEFT_EXPORT ClosingBell {
 public:
  void on_close(std::function<void()> callback);
  void ring() noexcept;

 private:
  std::mutex mutex_;
  bool rung_ = false;
  std::vector<std::function<void()>> callbacks_;
};

/// A channel between fibers and threads of one process: values move from end to end. Kept by both ends.
template <class A, class B>
struct LocalChannel {
  template <class T>
  struct Direction {
    explicit Direction(std::size_t capacity) : pipe{capacity} {}
    Pipe pipe;
    std::deque<T> values;  // under the pipe's lock
  };

  explicit LocalChannel(std::size_t capacity) : forth{capacity}, back{capacity} {}
  Direction<A> forth;
  Direction<B> back;
  ClosingBell closing;
};

/// The end of `channel` that sends by Out and receives by In.
template <class Send, class Receive, class Channel, auto Out, auto In>
class LocalEnd final : public ChannelTransport<Send, Receive> {
 public:
  explicit LocalEnd(std::shared_ptr<Channel> channel) noexcept
      : channel_{std::move(channel)}, out_{(*channel_).*Out}, in_{(*channel_).*In} {}
  LocalEnd(const LocalEnd&) = delete;
  LocalEnd& operator=(const LocalEnd&) = delete;
  ~LocalEnd() override { close(); }

  Waited send(Send& value, std::uint64_t deadline_ns) override {
    return out_.pipe.send(deadline_ns, [&] { out_.values.push_back(std::move(value)); });
  }
  Waited receive(std::optional<Receive>& value, std::uint64_t deadline_ns) override {
    return in_.pipe.receive(deadline_ns, [&] {
      value.emplace(std::move(in_.values.front()));
      in_.values.pop_front();
    });
  }
  void close() noexcept override {
    out_.pipe.close();
    in_.pipe.close();
    channel_->closing.ring();
  }
  bool is_closed() noexcept override { return out_.pipe.is_closed() || in_.pipe.is_closed(); }
  void on_close(std::function<void()> callback) override { channel_->closing.on_close(std::move(callback)); }
  Watchable& readable() noexcept override { return in_.pipe; }

 private:
  const std::shared_ptr<Channel> channel_;
  typename Channel::template Direction<Send>& out_;
  typename Channel::template Direction<Receive>& in_;
};

}  // namespace weft::detail
