#pragma once
// Workers of workers, of each kind.

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <tuple>
#include <vector>
#include <weft/weft.hpp>

#include "contract/kinds.hpp"

namespace weft::contract {

inline WorkerOptions of_kind(WorkerKind kind) {
  WorkerOptions how;
  how.kind = kind;
  return how;
}

/// A task that has `task` run by a worker of its own.
template <auto task, class... Args>
auto below(WorkerKind kind, Args... args) {
  Worker own{of_kind(kind)};
  return own.submit<task>(args...).get();
}

/// Of which kind a worker is, and of which kind is that worker's own.
using Kinds = std::tuple<WorkerKind, WorkerKind>;

inline std::string kinds_of(const testing::TestParamInfo<Kinds>& each) {
  return name_of(std::get<0>(each.param)) + "_" + name_of(std::get<1>(each.param));
}

class Relaying : public testing::TestWithParam<Kinds> {
 protected:
  /// Runs `task` in a worker of the worker.
  template <auto task, class... Args>
  auto submit_below(const Args&... args) {
    return middle_.submit<below<task, Args...>>(lowest(), args...);
  }
  Worker& middle() { return middle_; }
  static WorkerKind lowest() { return std::get<1>(GetParam()); }

 private:
  Worker middle_{of_kind(std::get<0>(GetParam()))};
};

/// Has the mutex from one meeting to the next.
inline void hold(shared::Mutex mutex, shared::Barrier met) {
  const std::lock_guard guard{mutex};
  met.arrive_and_wait();
  met.arrive_and_wait();
}

}  // namespace weft::contract
