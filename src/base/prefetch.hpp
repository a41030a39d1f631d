#pragma once

namespace weft::base {

/// Asks for a cache line in order to write it: takes it from the caches of other cores in advance. (The compilers'
/// __builtin_prefetch(p, 1) only reads, unless the whole program is built for a recent processor.)
inline void prefetch_for_writing(const void* address) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

/// Asks for a cache line in order to read it soon.
inline void prefetch_for_reading(const void* address) noexcept { __builtin_prefetch(address); }

}  // namespace weft::base
