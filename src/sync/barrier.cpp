#include <weft/barrier.hpp>

#include "base/check.hpp"

namespace weft {

detail::Waited Barrier::wait(std::uint64_t deadline_ns) {
  std::unique_lock lock{inner_};
  WEFT_CHECK(expected_ != 0, "everybody that the barrier is for has left");
  if (arrived_ + 1 == expected_) {
    open();
    return detail::Waited::came;
  }
  ++arrived_;
  const detail::Waited waited = gate_.take(lock, 1, deadline_ns);
  if (waited != detail::Waited::came) --arrived_;
  return waited;
}

void Barrier::drop() noexcept {
  const std::lock_guard lock{inner_};
  WEFT_CHECK(expected_ > arrived_, "everybody that the barrier is for waits at it or has left");
  --expected_;
  if (arrived_ == expected_) open();
}

/// Lets all that wait go on. The gate has a permit for each, and none is left over for the next round.
void Barrier::open() noexcept {
  gate_.give(arrived_);
  arrived_ = 0;
}

}  // namespace weft
