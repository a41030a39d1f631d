// More workers than CPUs: tasks of 1 us and of 1 ms, as much work of the one as of the other. Nobody is pinned.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "benchmarks.hpp"
#include "weft_pool.hpp"
#include "work.hpp"

namespace weft::bench {

namespace {

constexpr std::size_t kInFlight = 1024;
constexpr std::size_t kShortForOneLong = 1000;

void mixed(Run& run, std::size_t workers) {
  const auto us = static_cast<std::uint64_t>(passes_per_us());
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
  to.push_back({{{"overcommit.16_workers", "1/s"}}, [](Run& run) { mixed(run, 16); }, true});
}

}  // namespace weft::bench
