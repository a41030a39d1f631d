#pragma once

#include <cstdint>

#include "base/atomic.hpp"

namespace weft::work {

/// The deadline of the task that a fiber runs: what it submits itself has no more time than that.
///
/// Owner: the task's WorkerScope. Threads: noted and asked on the task's own; a task that submits from other threads
/// passes its deadline on itself.
class InheritedDeadline {
 public:
  /// Of the calling fiber, from now on until end().
  static void begin(std::uint64_t deadline_ns);
  static void end() noexcept;
  /// Of the calling fiber; 0 for none.
  static std::uint64_t current() noexcept;
  /// False in a process without such a task. Relaxed: a thread that runs one knows of its own.
  static bool any() noexcept { return count_.load(base::relaxed) != 0; }

 private:
  static inline base::Atomic<std::uint32_t> count_{0};
};

}  // namespace weft::work
