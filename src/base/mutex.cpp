#include "base/mutex.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "base/clock.hpp"

namespace weft::base {

namespace {

long futex(Atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) noexcept {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation | FUTEX_PRIVATE_FLAG, value,
                   timeout, nullptr, 0);
}

/// True where the kernel lets this process ask for such fences.
bool may_fence() noexcept {
  static const bool registered =
      ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered;
}

/// True where the kernel runs a full fence on every thread of this process for us.
bool process_wide_fence() noexcept {
  return may_fence() && ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

constexpr int kSpins =
    kModelled ? 1 : 64;  // about 2 us: longer than almost every section that this mutex guards

}  // namespace

void Mutex::prepare() noexcept {
  if (__libc_single_threaded != 0) static_cast<void>(may_fence());
}

void Mutex::lock_standing() noexcept {
  if (!try_held()) wait_for_held();
  // Relaxed: changes under held_ alone.
  if (const std::uint64_t seated = seated_.load(relaxed); seated != 0) take_back_seat(seated);
  word_ = &held_;
  if (const std::uint64_t self = thread_tag(); deserves_seat(self)) give_seat(self);
}

bool Mutex::deserves_seat(std::uint64_t thread) noexcept {
  // Its plain words are nothing that the checker could tell one state from another by.
  if (kModelled) return modelled_seat(thread);
  row_ = last_ == thread ? row_ + 1 : 0;
  last_ = thread;
  return row_ == kRowForSeat;
}

void Mutex::wait_for_held() noexcept {
  // Relaxed, here and below: the process-wide fence orders it with the look of every unlock() (mutex.md).
  waiters_.fetch_add(1, relaxed);
  for (int spin = 0; spin < kSpins; ++spin) {
    spin_pause();
    // Relaxed: a guess that try_held() makes sure of.
    if (held_.load(relaxed) == 0 && try_held()) {
      waiters_.fetch_sub(1, relaxed);
      return;
    }
  }
  // After this fence every unlock() that has not yet looked at waiters_ sees us, and the store of every one that has
  // looked is visible to the exchange below and to the kernel's own look at the word. Without it (an old kernel, a
  // filter) a wake-up may be lost, so the sleep is cut into pieces of a millisecond.
  const bool fenced = process_wide_fence();
  while (!try_held()) {
    const timespec piece{0, 1'000'000};
    futex(held_, FUTEX_WAIT, 1, fenced ? nullptr : &piece);
  }
  // Relaxed: one too many wakes somebody for nothing.
  waiters_.fetch_sub(1, relaxed);
}

/// Whoever holds held_ takes the seat back from the thread that has it, and waits until that one is not inside.
void Mutex::take_back_seat(std::uint64_t seated) noexcept {
  // Relaxed: the fence below orders both with what the seated thread looks at.
  waiters_.fetch_add(1, relaxed);
  seated_.store(0, relaxed);
  // After this fence the other thread, when it sits down, sees that the seat is not its any more; or it sat down before,
  // and its `inside` is visible here. Its unlock() sees a waiter, or its store is visible too.
  if (!process_wide_fence()) {
    // Seats are given only where the kernel fenced just before: somebody has forbidden it since. No store waits so long.
    const timespec long_enough{0, 10'000'000};
    ::nanosleep(&long_enough, nullptr);
  }
  Atomic<std::uint32_t>& inside = seats_[seated & kThreadTagMask].inside;
  int spin = 0;
  // SYNC mutex: everything that the last holder did.
  while (inside.load(acquire) != 0) {
    if (++spin <= kSpins) {
      spin_pause();
    } else {
      futex(inside, FUTEX_WAIT, 1, nullptr);
    }
  }
  // Relaxed: one too many wakes somebody for nothing.
  waiters_.fetch_sub(1, relaxed);
}

void Mutex::give_seat(std::uint64_t thread) noexcept {
  for (std::size_t i = 0; i < kSeats; ++i) {
    if (seats_[i].thread != 0 && seats_[i].thread != thread) continue;
    seats_[i].thread = thread;
    // Relaxed: read by this thread, and by others that hold held_.
    if (kModelled || process_wide_fence()) seated_.store(thread | i, relaxed);
    return;
  }
}

void Mutex::wake_one(Atomic<std::uint32_t>& word) noexcept { futex(word, FUTEX_WAKE, 1, nullptr); }

}  // namespace weft::base
