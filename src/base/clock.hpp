#pragma once

#include <time.h>

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace weft::base {

/// Nanoseconds of CLOCK_MONOTONIC: the same in every process of the machine, so deadlines travel as they are.
inline std::uint64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

/// A cheap counter for deciding how long to spin, not for telling time to anybody: it is a third of the price of
/// now_ns(), and its unit is found once by ticks_per_us().
inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return now_ns();
#endif
}

/// How many ticks() make a microsecond; measured once a process (about 200 us the first time).
std::uint64_t ticks_per_us() noexcept;
/// The same as another process of this machine has measured it; for a process that has not asked yet and has one thread.
/// 0 says nothing.
void set_ticks_per_us(std::uint64_t rate) noexcept;

/// Tells the core that this is a spin loop.
inline void spin_pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

}  // namespace weft::base
