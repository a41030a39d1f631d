#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <weft/deadline.hpp>

namespace weft {

/// Which of the tasks that wait goes first. One that a worker has been handed is not overtaken any more; that is some
/// 100 us of work at most.
enum class Priority : std::uint8_t { high, normal, low };

/// What holds for one task, or, in PoolOptions::task, for all of a pool. A time of 0 is no limit.
struct TaskOptions {
  Priority priority = Priority::normal;
  /// Of the whole: a task that has not begun by then fails with TimedOut; one that runs is asked to stop, and what it
  /// submits or waits for in channels has no more time either (TaskScope::stop_token(), TaskScope::deadline()).
  std::optional<Deadline> deadline = std::nullopt;
  /// A task that has not begun so long after submit() fails with TimedOut.
  std::chrono::nanoseconds start_within{0};
  /// So long after it began, the task is asked to stop; if it then throws Cancelled, get() throws TimedOut.
  std::chrono::nanoseconds stop_after{0};
  /// So long after it began, its worker is killed and replaced, and the task fails with TimedOut; what had not begun
  /// there goes elsewhere. Counted, in a worker that runs several tasks at once, from when those before it are done.
  std::chrono::nanoseconds run_limit{0};
  /// The task may run again after its worker died under it, so often: only for tasks that do no harm twice. Each
  /// time it has start_within to begin; one that was asked to stop runs no more, nor does one that has opened a channel, since
  /// its submitter may have heard of the first attempt. The last death is what the caller is told of. Its arguments are
  /// kept until it is done.
  std::uint32_t retries = 0;
  /// Measures when and where it runs, for Execution::times(): which costs some 0.3 us, for reading clocks here and there.
  bool measure_times = false;
  /// Once it is requested, what Execution::cancel() does is done to the task: one that has not begun fails with Cancelled, one
  /// that runs is asked to stop. If that is so at submit(), nothing is sent. Any number of tasks may have the same token. Done by
  /// the thread that requests it, before request_stop() returns.
  std::stop_token stop = {};
};

}  // namespace weft
