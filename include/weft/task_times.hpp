#pragma once

#include <chrono>
#include <cstdint>

namespace weft {

/// When and where a task ran, for Execution::times() and observers. Times are of the steady clock, which all processes of
/// a machine share: begin and end are the worker's own, and lie between those of this process. Of a worker that died they
/// are what this process knows: when the worker got to the task, and when its end was noticed.
struct TaskTimes {
  using Time = std::chrono::steady_clock::time_point;
  Time submitted;
  Time begun;    ///< the last time, if it ran more than once; where it never ran, the same as `settled`
  Time ended;    ///< so too
  Time settled;  ///< its value or failure was here
  std::uint64_t worker = 0;  ///< TaskScope::worker_id() of the one that had it last; 0: none
  std::int64_t pid = 0;      ///< that one's process
  std::uint32_t attempts =
      0;  ///< how often it began: 0 where it never did, more than 1 after TaskOptions::retries

  /// From submit() to the begin, or to the end of a task that never ran.
  [[nodiscard]] std::chrono::nanoseconds waited() const noexcept { return begun - submitted; }
  [[nodiscard]] std::chrono::nanoseconds ran() const noexcept { return ended - begun; }
};

}  // namespace weft
