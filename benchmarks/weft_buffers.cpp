// A Buffer to a worker and back, its bytes untouched: only references travel, so its size should not matter.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "benchmarks.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

using namespace std::chrono_literals;

Buffer echo(Buffer buffer) { return buffer; }

void round_trips(Run& run, std::size_t bytes) {
  PinnedPool pinned{run};
  Buffer buffer{bytes};
  // Every page is there before the clock runs.
  std::memset(buffer.writable().data(), 1, bytes);
  run.each(40'000, [&] {
    if (pinned.pool.submit<echo>(buffer).get().size() != bytes) std::abort();
  });
}

constexpr std::size_t kTouchedBytes = 16U << 20;

// Of each line one byte.
std::uint64_t sum_of_lines(Buffer buffer) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < buffer.size(); at += 64) sum += static_cast<std::uint64_t>(buffer.data()[at]);
  return sum;
}

// In turns a worker's reading of it, as it comes and with busy polling, and this process's own, which then runs on the
// worker's CPU.
void touching(Run& run) {
  Buffer buffer{kTouchedBytes};
  std::memset(buffer.writable().data(), 1, kTouchedBytes);
  const auto measure = [&](auto&& one, std::size_t figure) {
    run.each(
        2000,
        [&] {
          if (one() != kTouchedBytes / 64) std::abort();
        },
        [] {}, figure);
  };
  const auto in_worker = [&](std::chrono::nanoseconds busy_poll, std::size_t figure) {
    PoolOptions options = pool_of(1);
    options.worker.busy_poll = busy_poll;
    PinnedPool pinned{run, options};
    measure([&] { return pinned.pool.submit<sum_of_lines>(buffer).get(); }, figure);
  };
  in_worker(0ns, 0);
  {
    const AffinityKept kept;
    pin(run.peer_cpu());
    measure([&] { return sum_of_lines(buffer); }, 2);
  }
  in_worker(1ms, 1);
}

void add(std::vector<Benchmark>& to, const char* name, std::size_t bytes) {
  to.push_back({{{name, "ns"}}, [bytes](Run& run) { round_trips(run, bytes); }, true});
}

}  // namespace

void add_buffers(std::vector<Benchmark>& to) {
  add(to, "buffer.64KiB.round_trip", 64U << 10);
  add(to, "buffer.1MiB.round_trip", 1U << 20);
  add(to, "buffer.16MiB.round_trip", 16U << 20);
  add(to, "buffer.64MiB.round_trip", 64U << 20);
  to.push_back({{{"buffer.16MiB.touched", "ns"},
                 {"buffer.16MiB.touched.busy_poll", "ns"},
                 {"limit.touch.16MiB", "ns"}},
                touching,
                true});
}

}  // namespace weft::bench
