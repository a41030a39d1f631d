#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#else
#include "base/clock.hpp"
#endif

namespace weft::bench {

/// Reads the time before and after something short. On x86 that is the time stamp counter between fences: without
/// them the processor reads it while the load before it still waits for its cache line, and the round trip looks as
/// much shorter as that load takes.
struct Timer {
  /// Before the thing to be timed: nothing of it has begun.
  static std::uint64_t start() noexcept {
#if defined(__x86_64__)
    _mm_lfence();
    const std::uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
#else
    return base::now_ns();
#endif
  }

  /// After it: all of it is done.
  static std::uint64_t stop() noexcept {
#if defined(__x86_64__)
    unsigned processor = 0;
    const std::uint64_t now = __rdtscp(&processor);
    _mm_lfence();
    return now;
#else
    return base::now_ns();
#endif
  }

  /// What start() and stop() alone measure, in ticks; to be taken off each measurement. Found once, in about 1 ms.
  static double cost();

  /// The steps in which the counter counts, in ticks: on some machines it moves only every 10 ns. Found with cost().
  static double step();

  /// Nanoseconds a tick. Found once, in about 50 ms.
  static double tick_ns() noexcept;
};

/// Makes the optimiser believe that `value` is used.
template <class T>
void keep(const T& value) noexcept {
  asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace weft::bench
