// A Buffer to a worker and back, its bytes untouched: only references travel, so its size should not matter.

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "benchmarks.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

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

void add(std::vector<Benchmark>& to, const char* name, std::size_t bytes) {
  to.push_back({{{name, "ns"}}, [bytes](Run& run) { round_trips(run, bytes); }, true});
}

}  // namespace

void add_buffers(std::vector<Benchmark>& to) {
  add(to, "buffer.64KiB.round_trip", 64U << 10);
  add(to, "buffer.1MiB.round_trip", 1U << 20);
  add(to, "buffer.16MiB.round_trip", 16U << 20);
  add(to, "buffer.64MiB.round_trip", 64U << 20);
}

}  // namespace weft::bench
