#pragma once

#include <cstdint>

#include "base/atomic.hpp"

namespace weft::process {

/// Sleeps while `word`, which may lie in memory shared with other processes and be read-only here, holds `expected`: until
/// a wake, CLOCK_MONOTONIC reaches `deadline_ns` (0: never), or for no reason at all.
void futex_wait(const base::Atomic<std::uint32_t>& word, std::uint32_t expected,
                std::uint64_t deadline_ns) noexcept;
/// Wakes all who sleep on `word`, in any process.
void futex_wake_all(const base::Atomic<std::uint32_t>& word) noexcept;

}  // namespace weft::process
