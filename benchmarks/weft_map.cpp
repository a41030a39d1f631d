// Many items in a task, and many tasks at once: what of the CPUs arrives where the work is.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

#include "benchmarks.hpp"
#include "harness/cpus.hpp"
#include "weft_pool.hpp"
#include "work.hpp"

namespace weft::bench {

namespace {

constexpr double kPercent = 100;

int nothing() { return 1; }
int identity(int number) { return number; }

double us(std::uint64_t ticks) { return static_cast<double>(ticks) * Timer::tick_ns() / 1e3; }

/// `count` times burn(passes) in a plain loop, in us.
double loop_us(std::size_t count, std::uint64_t passes) {
  const std::uint64_t begin = Timer::start();
  for (std::size_t i = 0; i < count; ++i) keep(burn(passes));
  return us(Timer::stop() - begin);
}

// Items of a microsecond over as many workers as CPUs, against the plain loop: 100 % is the loop's time divided by the
// CPUs.
void map_of_ideal(Run& run) {
  const std::size_t workers = allowed_cpus().size();
  const auto passes = static_cast<std::uint64_t>(passes_per_us());
  const std::vector<std::uint64_t> items(run.scaled(1'000'000), passes);
  PoolOptions options = pool_of(workers);
  options.minimum = workers;
  Pool pool{options};
  static_cast<void>(pool.map<burn>(std::vector<std::uint64_t>(items.size() / 10, passes)));
  const std::uint64_t begin = Timer::start();
  if (pool.map<burn>(items).size() != items.size()) std::abort();
  const double took = us(Timer::stop() - begin);
  pool.wait_idle();
  run.value(kPercent * loop_us(items.size(), passes) / (took * static_cast<double>(workers)));
}

// Items that are no work, through one worker.
void map_of_nothing(Run& run) {
  PinnedPool pinned{run};
  std::vector<int> numbers(run.scaled(40'000'000));
  std::iota(numbers.begin(), numbers.end(), 0);
  keep(pinned.pool.map<identity>(numbers).size());
  const std::uint64_t begin = Timer::start();
  if (pinned.pool.map<identity>(numbers).size() != numbers.size()) std::abort();
  run.rate(numbers.size(), Timer::stop() - begin);
}

// Two workers on two CPUs that the parent needs a part of: 100 % is when all that its own work on a task leaves, which
// the rate of empty tasks tells, goes into the tasks.
void two_workers(Run& run) {
  const std::size_t tasks = run.scaled(2'000'000);
  const auto passes = static_cast<std::uint64_t>(passes_per_us());
  const AffinityKept kept;
  double parents_us = 0;
  {
    PinnedPool pinned{run};
    InFlight flying{256, [&] { return pinned.pool.submit<nothing>(); }};
    flying.pass(tasks / 10);
    const std::uint64_t begin = Timer::start();
    flying.pass(tasks);
    parents_us = us(Timer::stop() - begin) / static_cast<double>(tasks);
  }
  PoolOptions options = pool_of(2);
  options.minimum = 2;
  options.worker.limits.cpus = {static_cast<unsigned>(run.cpu()), static_cast<unsigned>(run.peer_cpu())};
  Pool pool{options};
  pin({run.cpu(), run.peer_cpu()});
  double took = 0;
  {
    InFlight flying{1024, [&] { return pool.submit<burn>(passes); }};
    while (pool.status().workers_starting > 0) flying.pass(64);
    flying.pass(tasks / 10);
    const std::uint64_t begin = Timer::start();
    flying.pass(tasks);
    took = us(Timer::stop() - begin) / static_cast<double>(tasks);
  }
  const double task_us = loop_us(tasks / 10, passes) / static_cast<double>(tasks / 10);
  run.value(kPercent * (task_us + parents_us) / 2 / took);
}

}  // namespace

void add_maps(std::vector<Benchmark>& to) {
  to.push_back({{{"map.1us.of_ideal", "%"}}, map_of_ideal});
  to.push_back({{{"map.empty", "1/s"}}, map_of_nothing, true});
  to.push_back({{{"two_workers.1us.of_ideal", "%"}}, two_workers, true});
}

}  // namespace weft::bench
