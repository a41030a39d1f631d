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

/// A pool of one worker that has started, the worker on the answering side's CPU and this thread on the other.
class PinnedPool {
 public:
  enum class Waiting {
    spins,   ///< as it does by itself
    sleeps,  ///< at once
  };

  // A pool counts the CPUs that it may use when it is made, and does not spin where there is but one.
  explicit PinnedPool(const Run& run, Waiting waiting = Waiting::spins) : pool{made(run, waiting)} {
    pool.submit<pin_this_worker>(run.peer_cpu()).get();
    pin(run.cpu());
  }

 private:
  static Pool made(const Run& run, Waiting waiting) {
    if (waiting == Waiting::sleeps) pin(run.cpu());
    return Pool{pool_of(1)};
  }
  AffinityKept restore_;

 public:
  Pool pool;
};

}  // namespace weft::bench
