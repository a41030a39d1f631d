#pragma once

#include <cstdint>

#include "base/atomic.hpp"

namespace weft::base {

/// A mutex for short sections that one thread enters over and over and others seldom: taking it free costs one atomic
/// exchange (3 ns), giving it back a plain store. What the unlocking side saves, the one that has to sleep pays: it
/// announces itself, passes a process-wide membarrier and only then sleeps (mutex.md has the argument).
///
/// Threads: any. Blocks: lock() sleeps in the kernel after a short spin. Fibers: never hold it across a suspension.
class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() noexcept {
    if (!try_lock()) [[unlikely]]
      lock_slowly();
  }
  [[nodiscard]] bool try_lock() noexcept {
    // SYNC mutex: everything that the last holder did.
    return held_.exchange(1, acquire) == 0;
  }
  void unlock() noexcept {
    // SYNC mutex: everything that this holder did.
    held_.store(0, release);
    // The compiler must not look first; the processor may (store buffer), which lock_slowly()'s membarrier rules out.
    compiler_fence();
    if (waiters_.load(relaxed) != 0) [[unlikely]]
      wake_one();
  }

  /// The same for a mutex that whoever takes it next may destroy: unlock() looks at it once more after it has let go.
  /// Costs a system call.
  void unlock_before_destruction() noexcept {
    // SYNC mutex: everything that this holder did.
    held_.store(0, release);
    wake_one();  // uses the address alone, so that it may be of memory that is gone
  }

  /// True if somebody waits: a holder that only looks for something to do should let them in.
  [[nodiscard]] bool contended() const noexcept { return waiters_.load(relaxed) != 0; }

 private:
  void lock_slowly() noexcept;
  void wake_one() noexcept;

  Atomic<std::uint32_t> held_{0};
  Atomic<std::uint32_t> waiters_{0};
};

}  // namespace weft::base
