#pragma once

#include <chrono>
#include <cstdint>

namespace weft {

/// Times are the steady clock's, which is the same in all processes of a machine.
using Deadline = std::chrono::steady_clock::time_point;

namespace detail {

/// A deadline that never comes, in nanoseconds of the steady clock.
inline constexpr std::uint64_t kNever = UINT64_MAX;

/// Nanoseconds of the steady clock `timeout` from now; never, where that lies beyond what it can count.
inline std::uint64_t deadline_after(std::chrono::nanoseconds timeout) noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  if (timeout <= std::chrono::nanoseconds::zero()) return static_cast<std::uint64_t>(now.count());
  if (timeout >= std::chrono::nanoseconds::max() - now) return UINT64_MAX;
  return static_cast<std::uint64_t>((now + timeout).count());
}

inline std::uint64_t deadline_at(Deadline deadline) noexcept {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds{deadline.time_since_epoch()}.count());
}

}  // namespace detail
}  // namespace weft
