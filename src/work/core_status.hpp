#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>
#include <weft/histogram.hpp>

namespace weft::work {

/// What PoolStatus is made of. The same fields, but for `sent`: those that workers have.
struct CoreStatus {
  std::size_t queued = 0;
  std::size_t sent = 0;
  std::size_t workers_idle = 0;
  std::size_t workers_busy = 0;
  std::size_t workers_starting = 0;
  std::size_t workers_outdated = 0;
  std::uint64_t finished = 0;
  std::uint64_t failed = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t workers_lost = 0;
  std::uint64_t workers_recycled = 0;
  std::string last_recycled;
  std::vector<std::int64_t> pids;
  Histogram wait_times;
  Histogram run_times;
};

}  // namespace weft::work
