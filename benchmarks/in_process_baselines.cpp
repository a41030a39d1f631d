// What a program has today to ask another thread of its own: Boost.Asio's pool of one thread, and a future.

#include <array>
#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <future>
#include <vector>

#include "benchmarks.hpp"
#include "harness/cpus.hpp"

namespace weft::bench {

namespace {

namespace asio = boost::asio;

constexpr std::size_t kInFlight = 256;

int nothing() noexcept { return 1; }

std::future<int> submit(asio::thread_pool& pool) {
  return asio::post(pool, std::packaged_task<int()>{nothing});
}

// The pool's thread, on its CPU.
class PinnedPool {
 public:
  explicit PinnedPool(int cpu) {
    asio::post(pool, std::packaged_task<void()>{[cpu] { pin(cpu); }}).get();
  }
  asio::thread_pool pool{1};
};

void round_trips(Run& run) {
  const Pinned pinned{run.cpu()};
  PinnedPool pinned_pool{run.peer_cpu()};
  run.each(50'000, [&] { keep(submit(pinned_pool.pool).get()); });
}

void pipelined(Run& run) {
  const Pinned pinned{run.cpu()};
  PinnedPool pinned_pool{run.peer_cpu()};
  std::array<std::future<int>, kInFlight> flying;
  for (auto& one : flying) one = submit(pinned_pool.pool);
  const std::size_t count = run.scaled(1'000'000);
  const std::uint64_t begin = Timer::start();
  for (std::size_t i = 0; i < count; ++i) {
    auto& oldest = flying[i % kInFlight];
    keep(oldest.get());
    oldest = submit(pinned_pool.pool);
  }
  run.rate(count, Timer::stop() - begin);
}

}  // namespace

void add_in_process_baselines(std::vector<Benchmark>& to) {
  to.push_back({{{"baseline.asio_thread_pool.round_trip", "ns"}}, round_trips, true});
  to.push_back({{{"baseline.asio_thread_pool.pipelined", "1/s"}}, pipelined, true});
}

}  // namespace weft::bench
