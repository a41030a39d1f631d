#pragma once

#include <cstdint>
#include <weft/detail/waited.hpp>

#include "base/atomic.hpp"

namespace weft::sync {

/// The deadline of the task that a fiber runs: what it submits itself has no more time than that, and neither has what it
/// waits for at a channel.
///
/// Owner: the task's scope. Threads: noted and asked on the task's own; a task that submits from other threads passes its
/// deadline on itself.
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

/// How long a wait may take: until its own deadline, or that of the task that waits, which is told apart. To be made when
/// there is something to wait for: what does not wait pays nothing.
class TaskLimit {
 public:
  explicit TaskLimit(std::uint64_t deadline_ns) noexcept : deadline_ns_{deadline_ns} {
    if (!InheritedDeadline::any()) return;
    const std::uint64_t inherited = InheritedDeadline::current();
    if (inherited == 0 || inherited >= deadline_ns) return;
    deadline_ns_ = inherited;
    is_inherited_ = true;
  }
  [[nodiscard]] std::uint64_t deadline_ns() const noexcept { return deadline_ns_; }
  /// What it means that the wait until deadline_ns() ended so.
  [[nodiscard]] detail::Waited ended(detail::Waited waited) const noexcept {
    return waited == detail::Waited::timed_out && is_inherited_ ? detail::Waited::late : waited;
  }

 private:
  std::uint64_t deadline_ns_;
  bool is_inherited_ = false;
};

}  // namespace weft::sync
