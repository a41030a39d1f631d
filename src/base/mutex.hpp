#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/atomic.hpp"

namespace weft::base {

/// A mutex for short sections that one thread enters over and over and others seldom. Taking it free costs an atomic
/// exchange, which also waits until everything this thread has stored has reached the cache (a frame for another core
/// may take 100 ns). So a thread that has taken it some hundred times in a row is given a seat: from then on it enters by a
/// plain store, until another thread comes and takes the seat back. What the frequent one saves, the seldom one pays:
/// with a process-wide membarrier (mutex.md has the argument).
///
/// Threads: any. Blocks: lock() sleeps in the kernel after a short spin. Fibers: never hold it across a suspension.
class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() noexcept {
    if (!sit_down()) [[unlikely]]
      lock_standing();
  }
  void unlock() noexcept {
    Atomic<std::uint32_t>& word = *word_;
    let_go(word);
  }

  /// The same for a mutex that whoever takes it next may destroy: unlock() looks at it once more after it has let go.
  /// Costs a system call.
  void unlock_before_destruction() noexcept {
    Atomic<std::uint32_t>& word = *word_;
    // SYNC mutex: everything that this holder did.
    word.store(0, release);
    wake_one(word);  // uses the address alone, so that it may be of memory that is gone
  }

  /// While this process has one thread: tells the kernel that it will fence. That takes no time then; the first fence of a
  /// process with several threads takes some 10 ms for it, since the kernel waits until all of them have heard.
  static void prepare() noexcept;

  /// True if somebody waits: a holder that only looks for something to do should let them in. Relaxed: a hint.
  [[nodiscard]] bool contended() const noexcept { return waiters_.load(relaxed) != 0; }

  /// How often in a row a thread must take it to be given a seat.
  static constexpr std::uint32_t kRowForSeat = 500;

 private:
  /// The place of one thread, its own for the mutex's life: nobody else ever stores there.
  struct alignas(64) Seat {
    Atomic<std::uint32_t> inside{0};
    std::uint64_t thread = 0;  // by thread_tag(); guarded by the lock
  };
  static constexpr std::size_t kSeats = 4;

  /// Enters from the seat, if it is this thread's.
  bool sit_down() noexcept {
    // Relaxed: whose seat it is stands in the tag; only the thread that it names believes it.
    const std::uint64_t seated = seated_.load(relaxed);
    if ((seated & ~kThreadTagMask) != thread_tag()) return false;
    Atomic<std::uint32_t>& inside = seats_[seated & kThreadTagMask].inside;
    inside.store(1, relaxed);
    // Relaxed: the processor may look first (store buffer), which the membarrier in take_back_seat() rules out.
    compiler_fence();
    if (seated_.load(relaxed) == seated) [[likely]] {
      word_ = &inside;
      return true;
    }
    let_go(inside);
    return false;
  }
  void let_go(Atomic<std::uint32_t>& word) noexcept {
    // SYNC mutex: everything that this holder did.
    word.store(0, release);
    // Relaxed: the compiler must not look first; the processor may, which the waiter's membarrier rules out.
    compiler_fence();
    if (waiters_.load(relaxed) != 0) [[unlikely]]
      wake_one(word);
  }
  [[nodiscard]] bool try_held() noexcept {
    // SYNC mutex: everything that the last holder did.
    return held_.exchange(1, acquire) == 0;
  }
  void lock_standing() noexcept;
  void wait_for_held() noexcept;
  void take_back_seat(std::uint64_t seated) noexcept;
  bool deserves_seat(std::uint64_t thread) noexcept;
  void give_seat(std::uint64_t thread) noexcept;
  static void wake_one(Atomic<std::uint32_t>& word) noexcept;

  Atomic<std::uint64_t> seated_{
      0};                          // the tag of the thread that may use its seat, and the seat's number; or 0
  Atomic<std::uint32_t> held_{0};  // taken by everybody else
  Atomic<std::uint32_t> waiters_{0};
  Atomic<std::uint32_t>* word_ =
      nullptr;              // what the holder entered by; this and what follows guarded by the lock
  std::uint64_t last_ = 0;  // the thread that took held_ last, and how often in a row
  std::uint32_t row_ = 0;
  std::array<Seat, kSeats> seats_;
};

}  // namespace weft::base
