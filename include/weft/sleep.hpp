#pragma once

#include <chrono>
#include <weft/deadline.hpp>
#include <weft/detail/waited.hpp>
#include <weft/export.hpp>

namespace weft {

namespace detail {
WEFT_EXPORT Waited sleep_until(std::uint64_t deadline_ns) noexcept;
}  // namespace detail

/// Suspends the fiber until the steady clock is at `deadline`: the thread's other fibers run on, at least once even if
/// that has passed. A thread without fibers sleeps. Throws Exhausted where the thread has no descriptors to wait with.
inline void sleep_until(Deadline deadline) {
  static_cast<void>(detail::came(detail::sleep_until(detail::deadline_at(deadline))));
}

/// The same for `duration` from now.
inline void sleep_for(std::chrono::nanoseconds duration) {
  static_cast<void>(detail::came(detail::sleep_until(detail::deadline_after(duration))));
}

}  // namespace weft
