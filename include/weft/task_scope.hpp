#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <weft/export.hpp>

namespace weft {

/// What a task may know and use of the worker that runs it: `run(TaskScope&)`, or a first parameter `TaskScope&`.
/// Owner: the worker; valid while the task runs. Threads: the task's.
class WEFT_EXPORT TaskScope {
 public:
  /// The number of this worker among those that the pool has started, from 1.
  [[nodiscard]] std::uint64_t worker_id() const noexcept { return worker_id_; }
  /// By when the submitter wants the task to be done; nothing enforces it within the task.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept;

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
