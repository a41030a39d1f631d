#pragma once

#include <sched.h>

#include <cstdint>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "fiber/reactor.hpp"

namespace weft::sync {

/// Asks `came` for a short, adaptive while, as long as this thread has nothing else to do. True if it came; otherwise
/// the caller should suspend.
template <class Came>
bool spin(fiber::Reactor& reactor, std::uint64_t deadline_ns, Came came) {
  const std::uint64_t budget = reactor.spin_ticks();
  const std::uint64_t alone = base::ticks_per_us() * base::kSpinAloneUs;
  const std::uint64_t begin = base::ticks();
  for (std::uint64_t now = begin; now - begin < budget && reactor.alone(); now = base::ticks()) {
    for (int look = 0; look < 16; ++look) {
      if (came()) {
        reactor.spun(true);
        return true;
      }
      base::spin_pause();
    }
    if (now - begin > alone) ::sched_yield();
    if (deadline_ns != fiber::Reactor::kNever && base::now_ns() >= deadline_ns) break;
  }
  return false;
}

}  // namespace weft::sync
