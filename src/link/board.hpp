#pragma once

#include <cstddef>
#include <cstdint>

#include "base/atomic.hpp"
#include "base/bytes.hpp"

namespace weft::link {

/// What a pool tells all its workers at once: one page, written by the parent alone, mapped read-only by each worker.
struct Board {
  /// The parent's doorbell word. Bell 0 is the attendant's, bell 1 that of a thread of the program that waits.
  alignas(base::kLineBytes) base::Atomic<std::uint64_t> word;
  /// The longest that an idle worker may spin now, in ns: less when there are more workers than cores to spin on.
  alignas(base::kLineBytes) base::Atomic<std::uint64_t> spin_ns_max;
  /// How long it goes on looking after that, in ns, before it sleeps (WorkerOptions::busy_poll).
  base::Atomic<std::uint64_t> busy_poll_ns;
};

static_assert(sizeof(Board) == 2 * base::kLineBytes && offsetof(Board, spin_ns_max) == base::kLineBytes);

inline constexpr unsigned kAttendantBell = 0;
inline constexpr unsigned kWaiterBell = 1;

}  // namespace weft::link
