#include "base/clock.hpp"

#include <algorithm>

namespace weft::base {

namespace {

// Written before the first ticks_per_us() of the process, by its only thread.
std::uint64_t told = 0;

}  // namespace

void set_ticks_per_us(std::uint64_t rate) noexcept { told = rate; }

std::uint64_t ticks_per_us() noexcept {
  static const std::uint64_t rate = [] {
    if (told != 0) return told;
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
