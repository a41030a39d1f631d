#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>
#include <weft/weft.hpp>

namespace weft::contract {

/// As the names of tests say it.
inline std::string name_of(WorkerKind kind) {
  switch (kind) {
    case WorkerKind::exec:
      return "exec";
    case WorkerKind::zygote:
      return "zygote";
    case WorkerKind::thread:
      return "thread";
    case WorkerKind::caller:
      return "caller";
  }
  return "unknown";
}

/// For a pool of such workers.
inline PoolOptions pool_of(WorkerKind kind, std::size_t limit = 1) {
  PoolOptions options{.limit = limit};
  options.worker.kind = kind;
  return options;
}

inline constexpr auto kKindNamed = [](const testing::TestParamInfo<WorkerKind>& each) {
  return name_of(each.param);
};

inline constexpr std::array kAllKinds{WorkerKind::exec, WorkerKind::zygote, WorkerKind::thread,
                                      WorkerKind::caller};
/// Those that run while their submitter waits.
inline constexpr std::array kKindsBeside{WorkerKind::exec, WorkerKind::zygote, WorkerKind::thread};
/// Those that can be killed.
inline constexpr std::array kKindsApart{WorkerKind::exec, WorkerKind::zygote};

}  // namespace weft::contract
