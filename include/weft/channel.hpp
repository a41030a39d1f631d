#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <weft/deadline.hpp>
#include <weft/detail/channel_transport.hpp>
#include <weft/detail/local_channel.hpp>
#include <weft/error.hpp>

namespace weft {

/// One end of a two-way channel: what is sent here is received at the other end, in that order, and the other way
/// round. Each direction holds a bounded number of values; who sends into a full one waits.
///
/// Owner: the caller; moves. Letting go of an end closes the channel. Threads: any number may use an end at the same
/// time; those that wait are served first come, first served. Waiting suspends the fiber: the thread's other fibers
/// run on; a thread without fibers spins for some microseconds and then sleeps. All that waits throws Exhausted where
/// the thread has no descriptors to wait with, and TimedOut at the deadline of the task that does (TaskScope::deadline()).
template <class Send, class Receive>
class [[nodiscard]] Channel {
 public:
  /// Of no channel: valid() is false, and nothing else may be called.
  Channel() noexcept = default;
  explicit Channel(std::unique_ptr<detail::ChannelTransport<Send, Receive>> transport) noexcept
      : transport_{std::move(transport)} {}

  [[nodiscard]] bool valid() const noexcept { return transport_ != nullptr; }

  /// Sends `value`; waits while there is no room. Throws Closed if the channel is closed, or gets closed meanwhile.
  /// `value` is moved from only if it was sent: after an error, or false, it can be sent again.
  void send(Send&& value) { static_cast<void>(put(value, detail::kNever)); }
  /// True if it was sent; false if there was no room, or others wait for it. Never waits. Throws Closed.
  [[nodiscard]] bool try_send(Send&& value) { return put(value, 0); }
  /// True if there was room in time.
  [[nodiscard]] bool send_for(std::chrono::nanoseconds timeout, Send&& value) {
    return put(value, detail::deadline_after(timeout));
  }
  [[nodiscard]] bool send_until(Deadline deadline, Send&& value) {
    return put(value, detail::deadline_at(deadline));
  }
  /// The same with a copy.
  void send(const Send& value) requires std::copy_constructible<Send> { send(Send(value)); }
  [[nodiscard]] bool try_send(const Send& value) requires std::copy_constructible<Send> {
    return try_send(Send(value));
  }
  [[nodiscard]] bool send_for(std::chrono::nanoseconds timeout,
                              const Send& value) requires std::copy_constructible<Send> {
    return send_for(timeout, Send(value));
  }
  [[nodiscard]] bool send_until(Deadline deadline, const Send& value) requires std::copy_constructible<Send> {
    return send_until(deadline, Send(value));
  }

  /// The next value; waits for it. Throws Closed once the channel is closed and all that was sent before has been
  /// received.
  Receive receive() { return *std::move(take(detail::kNever)); }
  /// nullopt if there is none, or all are for others that wait. Never waits. Throws Closed as receive() does.
  [[nodiscard]] std::optional<Receive> try_receive() { return take(0); }
  /// nullopt if none came in time; the next one is then received by whoever asks next.
  [[nodiscard]] std::optional<Receive> receive_for(std::chrono::nanoseconds timeout) {
    return take(detail::deadline_after(timeout));
  }
  [[nodiscard]] std::optional<Receive> receive_until(Deadline deadline) {
    return take(detail::deadline_at(deadline));
  }

  /// Ends both directions: nothing can be sent any more, at either end; what was sent before can still be received.
  /// Whoever waits is told. Doing it again does nothing.
  void close() noexcept { transport_->close(); }
  /// True once either end was closed or let go of. There may still be something to receive.
  [[nodiscard]] bool is_closed() const noexcept { return transport_->is_closed(); }
  /// Calls `callback` once, when either end is closed or let go of: there and then, on the thread that does it; here
  /// and now if that has happened already. It must neither wait nor throw.
  void on_close(std::function<void()> callback) { transport_->on_close(std::move(callback)); }

  /// For select().
  friend detail::Watchable& watch_of(Channel& channel) noexcept { return channel.transport_->readable(); }

 private:
  bool put(Send& value, std::uint64_t deadline_ns) {
    return detail::came(transport_->send(value, deadline_ns));
  }
  std::optional<Receive> take(std::uint64_t deadline_ns) {
    std::optional<Receive> value;
    static_cast<void>(detail::came(transport_->receive(value, deadline_ns)));
    return value;
  }

  std::unique_ptr<detail::ChannelTransport<Send, Receive>> transport_;
};

/// Two ends of a channel within this process: the first sends A and receives B, the second the other way round. Values
/// move from end to end, so they can be anything that moves. `capacity` is how many values each direction holds, 1 or
/// more. Throws ArgumentError.
template <class A, class B>
[[nodiscard]] std::pair<Channel<A, B>, Channel<B, A>> channel_pair(std::size_t capacity) {
  if (capacity == 0) throw ArgumentError{"a channel needs a capacity of at least 1"};
  using Local = detail::LocalChannel<A, B>;
  auto local = std::make_shared<Local>(capacity);
  return {Channel<A, B>{std::make_unique<detail::LocalEnd<A, B, Local, &Local::forth, &Local::back>>(local)},
          Channel<B, A>{std::make_unique<detail::LocalEnd<B, A, Local, &Local::back, &Local::forth>>(local)}};
}

}  // namespace weft
