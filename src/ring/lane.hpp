#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/atomic.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace weft::ring {

// A lane: the shared memory that one process writes and one other reads. schemas/README.md gives it byte by byte.
//
//   header | counters | black box | ring
//
// Every field is written by the lane's owner alone; the peer maps the lane read-only. What the owner has consumed of
// the *peer's* ring therefore stands in the owner's lane.

/// Says that this memory is a lane, and of which layout. Written once, before the lane is handed over.
struct LaneHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t owner_pid;
  std::uint64_t lane_bytes;
  std::uint32_t ring_lines;  ///< a power of two
  std::uint32_t flags;       ///< none yet
  std::uint64_t ring_offset;
  std::uint64_t black_box_offset;
  std::uint64_t black_box_bytes;
  std::uint64_t reserved;
};
static_assert(sizeof(LaneHeader) == 64);

inline constexpr std::uint64_t kLaneMagic = 0x314e'4c54'4645'5700;  // "\0WEFTLN1", little endian
inline constexpr std::uint32_t kLayoutVersion = 3;

/// Buckets of `run_times`: [0] is below 2^kRunTimesFirstBits ns, each of the others twice as wide as the one before it.
inline constexpr std::size_t kRunTimes = 32;
inline constexpr unsigned kRunTimesFirstBits = 6;

/// The bucket of a task that ran so long.
constexpr std::size_t run_times_bucket(std::uint64_t ns) noexcept {
  const auto doubled = static_cast<std::size_t>(std::bit_width(ns >> kRunTimesFirstBits));
  return doubled < kRunTimes ? doubled : kRunTimes - 1;
}

/// What the owner tells its peer beside the frames. One cache line for each group of fields that is written at the
/// same rate and read by the same party, so that no write on the hot path takes away a line that the peer polls.
struct LaneCounters {
  // Line 0, written after each batch of frames. The peer's producer reads it only when its ring looks full.
  alignas(base::kLineBytes)
      base::Atomic<std::uint64_t> consumed;  ///< lines of the peer's ring that may be reused
  // Line 1, written once a task by a worker. The peer reads it only to take a task back, and after a crash.
  alignas(base::kLineBytes)
      base::Atomic<std::uint64_t> claimed;  ///< frames before this position can't be taken back
  base::Atomic<std::uint64_t>
      begun;  ///< frames before this position have begun (exact once the owner is dead)
  base::Atomic<std::uint64_t> task_ticks;  ///< recent cost of one task, in ticks(); advice, never trusted
  base::Atomic<std::uint64_t> tasks_done;  ///< for people: some few less while busy, exact while parked
  base::Atomic<std::uint64_t>
      stops_seen;  ///< entries of the peer's stop log (link/stop_log.hpp) that were read
  base::Atomic<std::uint64_t> tasks_in_hand;  ///< for people: begun and not done, when tasks_done was written
  // Line 2, written when the owner parks and when it wakes. The peer reads it after each frame that it publishes.
  alignas(base::kLineBytes) base::Atomic<std::uint64_t> parked;  ///< a doorbell word (doorbell/doorbell.hpp)
  // Lines 3 to 6, written by a worker when it looks at the clock, and read by nobody but people (weft top).
  alignas(base::kLineBytes) base::Atomic<std::uint64_t> run_times[kRunTimes];  ///< tasks that took so long
};
static_assert(sizeof(LaneCounters) == 7 * base::kLineBytes);
static_assert(offsetof(LaneCounters, run_times) == 3 * base::kLineBytes);
static_assert(base::Atomic<std::uint64_t>::is_always_lock_free && sizeof(base::Atomic<std::uint64_t>) == 8);

/// The first bytes of every frame. `schemas/frame.fbs` repeats them so that the wire is told in one place.
struct FrameHead {
  /// Bytes of the whole frame, this word included; 0 while there is no frame yet. Stored last.
  base::Atomic<std::uint32_t> length;
  /// Set by the writer to take an already published frame back.
  base::Atomic<std::uint32_t> withdrawn;
};
static_assert(sizeof(FrameHead) == 8);

/// In `length`: nothing but filler up to the end of the ring.
inline constexpr std::uint32_t kPaddingBit = 0x8000'0000;

/// No frame is longer than this part of its ring, so that one frame more always finds room in the end.
inline constexpr std::uint32_t kFrameShare = 8;

/// Lines of the largest ring: its bytes, and so every length, stay below kPaddingBit.
inline constexpr std::uint32_t kRingLinesMax = 1U << 24;

constexpr bool is_ring_size(std::uint32_t lines) noexcept {
  return base::is_power_of_two(lines) && lines >= kFrameShare && lines <= kRingLinesMax;
}

/// How many lines ahead of its head a writer makes ready for the frames to come.
inline constexpr std::uint32_t kPrepareLines = 16;

/// Where the parts of one lane lie in this process. For the peer the memory is read-only, whatever the types say.
struct LaneView {
  LaneHeader* header = nullptr;
  LaneCounters* counters = nullptr;
  std::byte* black_box = nullptr;
  std::byte* ring = nullptr;
  std::uint32_t ring_lines = 0;
  std::uint64_t black_box_bytes = 0;
};

/// Bytes of a lane with such a ring and black box (rounded up to lines).
constexpr std::uint64_t lane_bytes(std::uint32_t ring_lines, std::uint64_t black_box_bytes) noexcept {
  return sizeof(LaneHeader) + sizeof(LaneCounters) + base::align_up(black_box_bytes, base::kLineBytes) +
         std::uint64_t{ring_lines} * base::kLineBytes;
}

/// Where the parts of a lane lie whose sizes are known already.
LaneView view_lane(std::byte* memory, std::uint32_t ring_lines, std::uint64_t black_box_bytes) noexcept;

/// Lays out the owner's lane in `memory`, which is zeroed and has lane_bytes(...) bytes.
LaneView format_lane(std::byte* memory, std::uint32_t ring_lines, std::uint64_t black_box_bytes,
                     std::uint32_t owner_pid) noexcept;

/// The peer's look at a lane of `bytes` bytes: a Fault says what of its header does not hold.
base::Result<LaneView> open_lane(const std::byte* memory, std::uint64_t bytes);

}  // namespace weft::ring
