// From which duration of a task on a pool beats the plain loop: the time of the loop over the time of the pool, for the
// same tasks.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "harness/cpus.hpp"
#include "sweeps/sweeps.hpp"
#include "weft_pool.hpp"
#include "work.hpp"

namespace weft::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto kTime = 60ms;

// In turns, so that both have the machine as it is now.
void speed_up(Run& run, std::size_t workers, double task_ns) {
  const auto passes = static_cast<std::uint64_t>(task_ns * passes_per_us() / 1e3);
  Pool pool{pool_of(workers)};
  // Enough that nobody waits, and not so many that filling and emptying the queue takes longer than what is measured.
  const auto in_flight =
      static_cast<std::size_t>(std::clamp(5e6 / task_ns, 8.0 * static_cast<double>(workers), 256.0));
  InFlight flying{in_flight, [&] { return pool.submit<burn>(passes); }};
  while (pool.status().workers_starting > 0) flying.pass(16);

  // As many tasks as fit into the time.
  const double budget_ns = static_cast<double>(run.shortened(kTime).count());
  const auto tasks = static_cast<std::size_t>(std::clamp(budget_ns / (task_ns + 50), 32.0, 1e6));
  flying.pass(std::max(tasks / 4, in_flight));
  const std::uint64_t pool_begin = Timer::start();
  flying.pass(tasks);
  const std::uint64_t pool_end = Timer::stop();
  // What is still under way would take a CPU from the loop.
  pool.wait_idle();
  const std::uint64_t loop_begin = Timer::start();
  for (std::size_t i = 0; i < tasks; ++i) keep(burn(passes));
  const std::uint64_t loop_end = Timer::stop();
  run.value(static_cast<double>(loop_end - loop_begin) / static_cast<double>(pool_end - pool_begin));
}

}  // namespace

void add_break_even_sweep(std::vector<Benchmark>& to) {
  const std::size_t cpus = allowed_cpus().size();
  for (const std::size_t workers : {std::size_t{1}, cpus, 2 * cpus}) {
    const std::string of = std::to_string(workers) + (workers == 1 ? "_worker" : "_workers");
    for (const std::size_t ns :
         {50U, 100U, 200U, 500U, 1'000U, 2'000U, 5'000U, 10'000U, 50'000U, 200'000U, 1'000'000U}) {
      to.push_back({{{"break_even." + of + "." + time_name(ns), "x", "break_even",
                      "a pool of " + std::to_string(workers), static_cast<double>(ns)}},
                    [=](Run& run) { speed_up(run, workers, static_cast<double>(ns)); }});
    }
  }
}

}  // namespace weft::bench
