#include <algorithm>
#include <weft/rate_limit.hpp>
#include <weft/sleep.hpp>

#include "base/clock.hpp"

namespace weft {

std::uint64_t detail::TokenBucket::take(std::size_t count, std::uint64_t now_ns,
                                        std::uint64_t deadline_ns) noexcept {
  const std::uint64_t full_at_ns = std::max(now_ns, full_at_ns_) + count * step_ns_;
  // A bucket of `permits_` holds what will have come by `full_at_ns` if it is no further away than filling it takes.
  const std::uint64_t turn_ns = full_at_ns - std::min(full_at_ns, permits_ * step_ns_);
  if (turn_ns > std::max(now_ns, deadline_ns)) return 0;
  full_at_ns_ = full_at_ns;
  return std::max(turn_ns, now_ns);
}

detail::Waited RateLimit::wait(std::size_t count, std::uint64_t deadline_ns) {
  const std::uint64_t now = base::now_ns();
  std::uint64_t turn_ns = 0;
  {
    const std::lock_guard lock{inner_};
    turn_ns = bucket_.take(count, now, deadline_ns);
  }
  if (turn_ns == 0) return detail::Waited::timed_out;
  if (turn_ns <= now) return detail::Waited::came;
  return detail::sleep_until(turn_ns) == detail::Waited::exhausted ? detail::Waited::exhausted
                                                                   : detail::Waited::came;
}

}  // namespace weft
