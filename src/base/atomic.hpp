#pragma once
// The atomics of the lock-free protocols (ring, doorbell, mutex), behind one name, so that the model checker in
// tests/model can compile the shipped sources over its own: it puts a header `weft_model_atomic.hpp` on the include
// path, which defines the same names, and sets WEFT_MODEL. Nothing else in weft may define WEFT_MODEL.

#if defined(WEFT_MODEL)
#include "weft_model_atomic.hpp"
#else

#include <atomic>
#include <cstdint>

namespace weft::base {

template <class T>
using Atomic = std::atomic<T>;

inline constexpr auto relaxed = std::memory_order_relaxed;
inline constexpr auto acquire = std::memory_order_acquire;
inline constexpr auto release = std::memory_order_release;
inline constexpr auto seq_cst = std::memory_order_seq_cst;

/// Orders everything before it against everything after it, stores before loads included. 3 ns on the machine that
/// the first figures come from, against 0.7 to 5 us for membarrier(2) there, which interrupts the other cores: so
/// weft pays it on both sides (src/README.md, "Fences").
inline void full_fence() noexcept {
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
// TSan does not see fences. What weft orders by them is atomic throughout, so it reports no race that is none.
#pragma GCC diagnostic ignored "-Wtsan"
#endif
  std::atomic_thread_fence(std::memory_order_seq_cst);
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

/// Keeps the compiler from moving anything across; the processor may.
inline void compiler_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

/// The low bits of a thread_tag() are 0.
inline constexpr std::uint64_t kThreadTagMask = 63;

/// A number of the calling thread, not 0, that no other thread has while this one lives.
inline std::uint64_t thread_tag() noexcept {
  alignas(kThreadTagMask + 1) thread_local constinit char place = 0;
  return reinterpret_cast<std::uintptr_t>(&place);
}

/// True under the model checker, which explores every length of a spin loop anyway and so needs only a short one.
inline constexpr bool kModelled = false;
constexpr bool modelled_seat(std::uint64_t) noexcept { return false; }

}  // namespace weft::base

#endif
