#include "work.hpp"

#include <algorithm>

#include "harness/timer.hpp"

namespace weft::bench {

std::uint64_t burn(std::uint64_t passes) {
  std::uint64_t value = passes | 1;
  for (std::uint64_t i = 0; i < passes; ++i) value = value * 6364136223846793005U + 1442695040888963407U;
  return value;
}

double passes_per_us() {
  static const double passes = [] {
    constexpr std::uint64_t kTried = 100'000;
    std::uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t begin = Timer::start();
      keep(burn(kTried));
      best = std::min(best, Timer::stop() - begin);
    }
    return static_cast<double>(kTried) / (static_cast<double>(best) * Timer::tick_ns()) * 1e3;
  }();
  return passes;
}

}  // namespace weft::bench
