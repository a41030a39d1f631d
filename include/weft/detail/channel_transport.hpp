#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <weft/detail/waited.hpp>
#include <weft/detail/watchable.hpp>

namespace weft::detail {

/// What carries the values of a channel's end to the other one and back. Destroying it closes the channel.
/// Deadlines are nanoseconds of the steady clock: 0 does not wait, kNever waits for ever.
template <class Send, class Receive>
class ChannelTransport {
 public:
  virtual ~ChannelTransport() = default;
  /// Moves from `value` only if it was sent.
  [[nodiscard]] virtual Waited send(Send& value, std::uint64_t deadline_ns) = 0;
  /// Fills `value` if one came. closed only after the last one.
  [[nodiscard]] virtual Waited receive(std::optional<Receive>& value, std::uint64_t deadline_ns) = 0;
  virtual void close() noexcept = 0;
  [[nodiscard]] virtual bool is_closed() noexcept = 0;
  virtual void on_close(std::function<void()> callback) = 0;
  /// Comes when receive() would not wait.
  [[nodiscard]] virtual Watchable& readable() noexcept = 0;
};

}  // namespace weft::detail
