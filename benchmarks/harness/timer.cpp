#include "harness/timer.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "base/clock.hpp"

namespace weft::bench {

namespace {

struct Found {
  double cost = 0;
  double step = 1;
};

const Found& found() {
  static const Found values = [] {
    std::vector<double> spans;
    for (int i = 0; i < 20'000; ++i) {
      const std::uint64_t begin = Timer::start();
      spans.push_back(static_cast<double>(Timer::stop() - begin));
    }
    std::sort(spans.begin(), spans.end());
    // What an interrupt lengthened is not the timer's. The mean, not the median, which would be whole steps.
    const double bound = 2 * spans[spans.size() / 2];
    spans.erase(std::upper_bound(spans.begin(), spans.end(), bound), spans.end());
    Found result;
    result.cost = std::accumulate(spans.begin(), spans.end(), 0.0) / static_cast<double>(spans.size());
    // A counter that moves in steps gives but few different spans; steps that are no whole number of ticks give pairs
    // of neighbours.
    spans.erase(std::unique(spans.begin(), spans.end()), spans.end());
    double step = bound;
    for (std::size_t i = 1; i < spans.size(); ++i) {
      if (spans[i] - spans[i - 1] > 1) step = std::min(step, spans[i] - spans[i - 1]);
    }
    if (step < bound) result.step = step;
    return result;
  }();
  return values;
}

}  // namespace

double Timer::cost() { return found().cost; }

double Timer::step() { return found().step; }

double Timer::tick_ns() noexcept {
  static const double rate = [] {
    const std::uint64_t ns_begin = base::now_ns();
    const std::uint64_t begin = start();
    std::uint64_t ns = 0;
    do ns = base::now_ns() - ns_begin;
    while (ns < 50'000'000);
    return static_cast<double>(ns) / static_cast<double>(stop() - begin);
  }();
  return rate;
}

}  // namespace weft::bench
