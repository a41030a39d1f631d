#pragma once

#include <cstddef>
#include <weft/weft.hpp>

#include "harness/benchmark.hpp"
#include "harness/cpus.hpp"

namespace weft::bench {

inline void pin_this_worker(int cpu) { pin(cpu); }

inline PoolOptions pool_of(std::size_t workers) {
  PoolOptions options;
  options.limit = workers;
  return options;
}

/// A pool of one worker that has started, the worker on the answering side's CPU and this thread on the other. The
/// pool is made before the thread is pinned: it counts the CPUs that it may use, and with one alone it would not spin.
class PinnedPool {
 public:
  explicit PinnedPool(const Run& run) : pool{pool_of(1)} {
    pool.submit<pin_this_worker>(run.peer_cpu()).get();
    pin(run.cpu());
  }

 private:
  AffinityKept kept_;

 public:
  Pool pool;
};

}  // namespace weft::bench
