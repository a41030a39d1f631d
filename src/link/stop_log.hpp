#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/atomic.hpp"
#include "base/bytes.hpp"

namespace weft::link {

/// In the parent's lane: which of the tasks that have begun at a worker shall stop, in the order of asking. A worker with
/// a task that wants to know sleeps on `head` as a futex; any other never looks.
///
/// Owner: the parent, which writes an entry only when the worker has seen the one that lay there before
/// (LaneCounters::stops_seen). A worker that lies about that cheats its own tasks alone.
///
/// Why no stop is lost. A ring with one writer and one reader: the entry is stored before the head, and the reader
/// takes it after the head; it has been read before `seen` says so, and the writer reads `seen` before it stores
/// another there. The reader sleeps by head value: it reads the head, then the log, and sleeps only if the head is
/// still that. Whoever stores another head and then wakes is either seen by the kernel's own look or finds the sleeper.
/// Checked by tests/model/stop_log_model_test.cpp.
template <std::uint32_t Entries>
struct BasicStopLog {
  static constexpr std::uint32_t kEntries = Entries;

  alignas(base::kLineBytes) base::Atomic<std::uint32_t> head;  ///< entries written so far
  std::array<base::Atomic<std::uint64_t>, kEntries> calls;     ///< ids: slot and generation, as in a frame

  /// Parent. `read` is the worker's LaneCounters::stops_seen. False while there is no room.
  [[nodiscard]] bool write(std::uint64_t call, const base::Atomic<std::uint64_t>& read) noexcept {
    // Relaxed: the parent alone writes it.
    const std::uint32_t at = head.load(base::relaxed);
    // SYNC stop-log-read: the entry that lay there has been read.
    if (at - static_cast<std::uint32_t>(read.load(base::acquire)) >= kEntries) return false;
    // Relaxed: published by the head.
    calls[at % kEntries].store(call, base::relaxed);
    // SYNC stop-log: the entry.
    head.store(at + 1, base::release);
    return true;
  }
  /// Worker: hands the entries from `seen` on to `take`, and says in `read` that they have been read. Returns how many there
  /// have been.
  template <class Take>
  std::uint32_t read(std::uint32_t seen, base::Atomic<std::uint64_t>& read, Take take) const {
    // SYNC stop-log: every entry before it.
    const std::uint32_t end = head.load(base::acquire);
    if (seen == end) return end;
    for (; seen != end; ++seen) take(calls[seen % kEntries].load(base::relaxed));
    // SYNC stop-log-read: the entries are this side's copies by now.
    read.store(end, base::release);
    return end;
  }
};

using StopLog = BasicStopLog<60>;
static_assert(sizeof(StopLog) == 512 && offsetof(StopLog, head) == 0 && offsetof(StopLog, calls) == 8);

}  // namespace weft::link
