#pragma once

#include <array>
#include <cstdint>

#include "base/atomic.hpp"
#include "base/bytes.hpp"

namespace weft::link {

/// In the parent's lane: which of the tasks that have begun at a worker shall stop, in the order of asking. A worker with
/// a task that wants to know sleeps on `head` as a futex; any other never looks.
///
/// Owner: the parent, which writes an entry only when the worker has seen the one that lay there before
/// (LaneCounters::stops_seen). A worker that lies about that cheats its own tasks alone.
struct StopLog {
  static constexpr std::uint32_t kEntries = 60;

  alignas(base::kLineBytes) base::Atomic<std::uint32_t> head;  ///< entries written so far
  std::array<base::Atomic<std::uint64_t>, kEntries> calls;     ///< ids: slot and generation, as in a frame

  /// Parent. False while there is no room.
  [[nodiscard]] bool write(std::uint64_t call, std::uint64_t seen) noexcept {
    const std::uint32_t at = head.load(base::relaxed);
    if (at - static_cast<std::uint32_t>(seen) >= kEntries) return false;
    // Relaxed: published by the head.
    calls[at % kEntries].store(call, base::relaxed);
    // SYNC stop-log: the entry.
    head.store(at + 1, base::release);
    return true;
  }
  /// Worker: hands the entries from `seen` on to `take`. Returns how many there have been.
  template <class Take>
  std::uint32_t read(std::uint32_t seen, Take take) const {
    // SYNC stop-log: every entry before it.
    const std::uint32_t end = head.load(base::acquire);
    for (; seen != end; ++seen) take(calls[seen % kEntries].load(base::relaxed));
    return end;
  }
};

}  // namespace weft::link
