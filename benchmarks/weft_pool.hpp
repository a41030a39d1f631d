#pragma once

#include <cstddef>
#include <utility>
#include <vector>
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

inline PoolOptions pool_of(std::size_t workers, WorkerKind kind) {
  PoolOptions options = pool_of(workers);
  options.worker.kind = kind;
  return options;
}

/// A pool of one worker that has started, the worker on the answering side's CPU and this thread on the other. The
/// pool is made before the thread is pinned: it counts the CPUs that it may use, and with one alone it would not spin.
class PinnedPool {
 public:
  explicit PinnedPool(const Run& run, WorkerKind kind = WorkerKind::exec)
      : PinnedPool{run, pool_of(1, kind)} {}
  PinnedPool(const Run& run, PoolOptions options) : pool{std::move(options)} {
    pool.submit<pin_this_worker>(run.peer_cpu()).get();
    pin(run.cpu());
  }

 private:
  AffinityKept kept_;

 public:
  Pool pool;
};

/// Always `count` executions of what `submit` returns; each pass takes the value of the oldest and submits another one.
template <class Submit>
class InFlight {
 public:
  InFlight(std::size_t count, Submit submit) : submit_{std::move(submit)} {
    flying_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) flying_.push_back(submit_());
  }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight() {
    for (auto& one : flying_) keep(one.get());
  }

  /// Returns `count`.
  std::size_t pass(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto& oldest = flying_[next_];
      keep(oldest.get());
      oldest = submit_();
      if (++next_ == flying_.size()) next_ = 0;
    }
    return count;
  }

 private:
  Submit submit_;
  std::vector<decltype(std::declval<Submit&>()())> flying_;
  std::size_t next_ = 0;
};

}  // namespace weft::bench
