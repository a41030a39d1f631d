#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/buffer.hpp>
#include <weft/detail/channel_transport.hpp>
#include <weft/detail/packed.hpp>
#include <weft/detail/signature.hpp>
#include <weft/detail/waited.hpp>
#include <weft/detail/watchable.hpp>

namespace weft::detail {

/// A value as it came from the other process, encoded.
struct Arrival {
  Encoding encoding = Encoding::nothing;
  bool in_block = false;  ///< the first attachment holds the bytes
  std::uint32_t bytes = 0;
  std::array<std::byte, 48> few;  ///< the bytes, if they are no more
  std::vector<std::byte> many;    ///< else; of greater size where it was used before
  std::vector<Buffer> attachments;

  [[nodiscard]] Payload payload() const noexcept {
    if (in_block) return {encoding, attachments.front().bytes(), std::span{attachments}.subspan(1)};
    return {encoding, {bytes <= few.size() ? few.data() : many.data(), bytes}, attachments};
  }
};

/// One end of a channel whose other end is in another process, but for the values' types. Threads: any.
class ChannelPort : public Watchable {
 public:
  virtual ~ChannelPort() = default;
  /// Throws EncodingError, Exhausted, and ArgumentError where the other end is of other types; nothing was sent then.
  [[nodiscard]] virtual Waited send(const Payload& payload, std::uint64_t deadline_ns) = 0;
  [[nodiscard]] virtual Waited receive(Arrival& arrival, std::uint64_t deadline_ns) = 0;
  virtual void close() noexcept = 0;
  [[nodiscard]] virtual bool is_closed() noexcept = 0;
  virtual void on_close(std::function<void()> callback) = 0;
};

/// Which channel of a task, and what it carries.
struct ChannelName {
  std::string_view key;
  std::string_view types;  ///< signature of a function from what the task receives to what it sends
};

/// The end of a channel that `port` leads to.
template <class Send, class Receive>
class RemoteEnd final : public ChannelTransport<Send, Receive> {
  static_assert(require_result<Receive>());

 public:
  explicit RemoteEnd(std::shared_ptr<ChannelPort> port) noexcept : port_{std::move(port)} {}
  RemoteEnd(const RemoteEnd&) = delete;
  RemoteEnd& operator=(const RemoteEnd&) = delete;
  ~RemoteEnd() override { port_->close(); }

  Waited send(Send& value, std::uint64_t deadline_ns) override {
    const Packed<Send> packed{value};
    return port_->send(packed.payload(), deadline_ns);
  }
  Waited receive(std::optional<Receive>& value, std::uint64_t deadline_ns) override {
    Arrival arrival;
    const Waited waited = port_->receive(arrival, deadline_ns);
    if (waited == Waited::came) value.emplace(std::get<0>(unpack<Receive>(arrival.payload())));
    return waited;
  }
  void close() noexcept override { port_->close(); }
  bool is_closed() noexcept override { return port_->is_closed(); }
  void on_close(std::function<void()> callback) override { port_->on_close(std::move(callback)); }
  Watchable& readable() noexcept override { return *port_; }

 private:
  const std::shared_ptr<ChannelPort> port_;
};

}  // namespace weft::detail
