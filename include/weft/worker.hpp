#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <weft/pool.hpp>

namespace weft {

/// One worker process of one's own. Any number of tasks may be submitted; they begin in order. While one suspends, those
/// after it run, so many at once as WorkerOptions::tasks_at_once says: 1 is one after the other. It is not replaced when
/// it ends: what has not begun then fails with Closed.
///
/// Owner: the program. Threads: any. Blocks: shutdown(), shutdown_for(), map() and for_each() suspend.
class WEFT_EXPORT Worker : public detail::Submitter<Worker> {
 public:
  /// Begins to start the process; a start that fails shows in the first task. Throws NotInitialized, Exhausted.
  explicit Worker(WorkerOptions options = {});
  Worker(Worker&&) noexcept = default;
  Worker& operator=(Worker&&) noexcept;
  /// Kills the process; unfinished tasks fail with WorkerKilled or Closed.
  ~Worker();

  /// The process, once it takes tasks; 0 before, and after its end.
  [[nodiscard]] std::int64_t pid() const;
  [[nodiscard]] bool is_running() const { return pid() != 0; }
  /// True if it runs and has no task.
  [[nodiscard]] bool is_idle() const;

  [[nodiscard]] PoolStatus status() const;

  /// Refuses further tasks, waits for those submitted, ends the process. Suspends.
  void shutdown();
  /// The same for at most `timeout`; false if it is not done by then. Call it again, or kill().
  bool shutdown_for(std::chrono::nanoseconds timeout);
  /// Ends the process at once. Tasks that it has fail with WorkerKilled (verdict() says whether they may have run), the others with Closed.
  void kill();

 private:
  friend class detail::Submitter<Worker>;
  /// Throws Closed if there is none, since this was moved from.
  [[nodiscard]] work::PoolCore& core() const;
  [[nodiscard]] static const TaskOptions* task_options() noexcept { return nullptr; }

  std::shared_ptr<work::PoolCore> core_;
};

/// Worker{options}, beside weft::pool() and weft::submit().
[[nodiscard]] inline Worker create_worker(WorkerOptions options = {}) { return Worker{std::move(options)}; }

}  // namespace weft
