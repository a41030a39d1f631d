#include "base/clock.hpp"

#include <algorithm>

namespace weft::base {

std::uint64_t ticks_per_us() noexcept {
  static const std::uint64_t rate = [] {
    const std::uint64_t ns_begin = now_ns();
    const std::uint64_t ticks_begin = ticks();
    std::uint64_t ns = 0;
    do ns = now_ns() - ns_begin;
    while (ns < 200'000);
    return std::max<std::uint64_t>(1, (ticks() - ticks_begin) * 1000 / ns);
  }();
  return rate;
}

}  // namespace weft::base
