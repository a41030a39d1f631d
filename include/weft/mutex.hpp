#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <weft/deadline.hpp>
#include <weft/detail/gate.hpp>
#include <weft/export.hpp>

namespace weft {

/// A mutex for fibers and threads of one process, which may be held across a suspension: std::mutex would stop all
/// fibers of the thread that waits, or deadlock two of one thread. First come, first served. Meets TimedLockable: use
/// it with std::lock_guard, std::unique_lock, std::scoped_lock.
///
/// Threads: any; a fiber may let go of it on behalf of the one that took it. Waiting suspends the fiber; a thread
/// without fibers spins for some microseconds and then sleeps. Not recursive. It must outlive those who wait for it.
class WEFT_EXPORT Mutex {
 public:
  Mutex() noexcept : gate_{1} {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  /// Waits until it is the caller's. Throws Exhausted where the thread has no descriptors to wait with.
  void lock() { static_cast<void>(take(detail::kNever)); }
  /// True if it was free, and is the caller's now. Never waits.
  [[nodiscard]] bool try_lock() { return take(0); }
  /// True if it became the caller's in time. Throws Exhausted.
  [[nodiscard]] bool try_lock_for(std::chrono::nanoseconds timeout) {
    return take(detail::deadline_after(timeout));
  }
  [[nodiscard]] bool try_lock_until(Deadline deadline) { return take(detail::deadline_at(deadline)); }
  /// Hands it to who has waited longest. Aborts if nobody holds it.
  void unlock() noexcept;

 private:
  bool take(std::uint64_t deadline_ns) { return detail::came(wait(deadline_ns)); }
  detail::Waited wait(std::uint64_t deadline_ns);

  std::mutex inner_;  // guards the gate, for some instructions at a time
  detail::Gate gate_;
};

}  // namespace weft
