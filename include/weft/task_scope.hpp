#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <weft/export.hpp>

namespace weft {

/// What a task may know and use of the worker that runs it: `run(TaskScope&)`, or a first parameter `TaskScope&`.
/// Owner: the worker; valid while the task runs. Threads: the task's.
class WEFT_EXPORT TaskScope {
 public:
  /// The number of this worker among those that the pool has started, from 1.
  [[nodiscard]] std::uint64_t worker_id() const noexcept { return worker_id_; }
  /// By when the submitter wants the task to be done. At that time a stop is requested (stop_token()); nothing else
  /// happens to the task. What the task submits to workers of its own has no more time than that.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept;

  /// A stop is requested when the submitter cancels the task, or its deadline or soft time limit has passed. To be
  /// looked at now and then (`stop_requested()`, 1 ns), or given to what can be interrupted. Callbacks registered with it
  /// run on another thread. The first call in a worker starts that thread. Throws Exhausted.
  [[nodiscard]] virtual std::stop_token stop_token() = 0;
  /// Throws Cancelled if a stop is requested: the submitter's get() then throws Cancelled with its own reason.
  void throw_if_stop_requested();

  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

 protected:
  TaskScope(std::uint64_t worker_id, std::uint64_t deadline_ns) noexcept
      : worker_id_{worker_id}, deadline_ns_{deadline_ns} {}
  ~TaskScope() = default;

 private:
  std::uint64_t worker_id_;
  std::uint64_t deadline_ns_;
};

}  // namespace weft
