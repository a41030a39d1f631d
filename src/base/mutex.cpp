#include "base/mutex.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
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

/// True where the kernel runs a full fence on every thread of this process for us.
bool process_wide_fence() noexcept {
  static const bool registered =
      ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered && ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

constexpr int kSpins =
    kModelled ? 1 : 64;  // about 2 us: longer than almost every section that this mutex guards

}  // namespace

void Mutex::lock_slowly() noexcept {
  waiters_.fetch_add(1, relaxed);
  for (int spin = 0; spin < kSpins; ++spin) {
    spin_pause();
    if (held_.load(relaxed) == 0 && try_lock()) {
      waiters_.fetch_sub(1, relaxed);
      return;
    }
  }
  // After this fence every unlock() that has not yet looked at waiters_ sees us, and the store of every one that has
  // looked is visible to the exchange below and to the kernel's own look at the word. Without it (an old kernel, a
  // filter) a wake-up may be lost, so the sleep is cut into pieces of a millisecond.
  const bool fenced = process_wide_fence();
  while (!try_lock()) {
    const timespec piece{0, 1'000'000};
    futex(held_, FUTEX_WAIT, 1, fenced ? nullptr : &piece);
  }
  waiters_.fetch_sub(1, relaxed);
}

void Mutex::wake_one() noexcept { futex(held_, FUTEX_WAKE, 1, nullptr); }

}  // namespace weft::base
