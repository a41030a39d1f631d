// More workers than CPUs: tasks of 1 us and of 1 ms, as much work of the one as of the other. Nobody is pinned.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "benchmarks.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

constexpr std::size_t kInFlight = 1024;
constexpr std::size_t kShortForOneLong = 1000;

// Work that takes CPU time rather than time: a task that watched a clock would be done sooner the longer it was kept
// from running. Each pass waits for the last.
std::uint64_t burn(std::uint64_t passes) {
  std::uint64_t value = passes | 1;
  for (std::uint64_t i = 0; i < passes; ++i) value = value * 6364136223846793005U + 1442695040888963407U;
  return value;
}

// Passes of burn() in a microsecond, found where nothing disturbed it.
std::uint64_t passes_per_us() {
  static const std::uint64_t passes = [] {
    constexpr std::uint64_t kTried = 100'000;
    std::uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t begin = Timer::start();
      keep(burn(kTried));
      best = std::min(best, Timer::stop() - begin);
    }
    return static_cast<std::uint64_t>(static_cast<double>(kTried) /
                                      (static_cast<double>(best) * Timer::tick_ns()) * 1e3);
  }();
  return passes;
}

void mixed(Run& run, std::size_t workers) {
  const std::uint64_t us = passes_per_us();
  Pool pool{pool_of(workers)};
  std::size_t submitted = 0;
  const auto next = [&] { return pool.submit<burn>(++submitted % kShortForOneLong == 0 ? 1000 * us : us); };
  std::vector<Execution<std::uint64_t>> flying;
  flying.reserve(kInFlight);
  for (std::size_t i = 0; i < kInFlight; ++i) flying.push_back(next());
  const auto pass = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Execution<std::uint64_t>& oldest = flying[i % kInFlight];
      keep(oldest.get());
      oldest = next();
    }
  };
  // Long enough for all workers to have come.
  pass(10 * kInFlight);
  const std::size_t count = run.scaled(1'000'000);
  const std::uint64_t begin = Timer::start();
  pass(count);
  run.rate(count, Timer::stop() - begin);
  for (auto& one : flying) keep(one.get());
}

}  // namespace

void add_overcommit(std::vector<Benchmark>& to) {
  to.push_back({{{"overcommit.2_workers", "1/s"}}, [](Run& run) { mixed(run, 2); }, true});
  to.push_back({{{"overcommit.8_workers", "1/s"}}, [](Run& run) { mixed(run, 8); }, true});
}

}  // namespace weft::bench
