// Throughput against the number of workers. Nobody is pinned: with more workers than CPUs the kernel has to share.

#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <thread>

#include "harness/cpus.hpp"
#include "sweeps/sweeps.hpp"
#include "weft_pool.hpp"
#include "work.hpp"

namespace weft::bench {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto kTime = 200ms;
constexpr std::size_t kInFlight = 1024;
constexpr std::size_t kAtOnce = 64;

std::uint64_t passes_in(double us) { return static_cast<std::uint64_t>(us * passes_per_us()); }

void through_weft(Run& run, std::size_t workers, double us) {
  Pool pool{pool_of(workers)};
  const std::uint64_t passes = passes_in(us);
  InFlight flying{kInFlight, [&] { return pool.submit<burn>(passes); }};
  // Until all workers have come.
  while (pool.status().workers_starting > 0) flying.pass(kAtOnce);
  run.rate_for(kTime, [&] { return flying.pass(kAtOnce); });
}

void through_asio(Run& run, std::size_t threads, double us) {
  asio::thread_pool pool{threads};
  const std::uint64_t passes = passes_in(us);
  InFlight flying{
      kInFlight,
      [&] { return asio::post(pool, std::packaged_task<std::uint64_t()>{[=] { return burn(passes); }}); }};
  run.rate_for(kTime, [&] { return flying.pass(kAtOnce); });
}

}  // namespace

std::vector<std::size_t> worker_counts() {
  const std::size_t cpus = allowed_cpus().size();
  std::vector<std::size_t> counts;
  for (std::size_t count = 1; count < cpus; count *= 2) counts.push_back(count);
  for (const std::size_t half : {2U, 3U, 4U, 6U, 8U}) {
    const std::size_t count = cpus * half / 2;
    if (count > 0 && (counts.empty() || count > counts.back())) counts.push_back(count);
  }
  return counts;
}

void add_worker_sweep(std::vector<Benchmark>& to) {
  struct Kind {
    const char* name;
    const char* series;
    void (*through)(Run&, std::size_t, double);
    double us;
  };
  static constexpr Kind kKinds[] = {
      {"weft.empty", "weft, empty tasks", through_weft, 0},
      {"weft.1us", "weft, tasks of 1 us", through_weft, 1},
      {"weft.10us", "weft, tasks of 10 us", through_weft, 10},
      {"asio_thread_pool.1us", "Boost.Asio thread_pool, 1 us", through_asio, 1},
      {"asio_thread_pool.10us", "Boost.Asio thread_pool, 10 us", through_asio, 10},
  };
  for (const std::size_t workers : worker_counts()) {
    for (const Kind& kind : kKinds) {
      to.push_back({{{std::string{"workers."} + kind.name + "." + std::to_string(workers), "1/s", "workers",
                      kind.series, static_cast<double>(workers)}},
                    [workers, &kind](Run& run) { kind.through(run, workers, kind.us); }});
    }
  }
}

}  // namespace weft::bench
