#pragma once

#include <cstdint>

#include "base/atomic.hpp"
#include "base/failure_point.hpp"
#include "ring/consumer.hpp"
#include "ring/lane.hpp"
#include "ring/producer.hpp"

// Taking a frame back that its reader has not begun (ring.md, "Taking a frame back"): each side writes its own lane
// alone, and no compare-and-swap is shared. The reader calls claim() and begin(), the writer try_take_back().

namespace weft::ring {

/// Reader: from here on no frame that begins at `position` or before it can be taken back. `own` are the counters in
/// the reader's own lane. The caller passes a full fence before the next begin(): one that it passes anyway, after
/// publishing an answer and before looking at the doorbell, will do.
inline void claim(LaneCounters& own, std::uint64_t position) noexcept {
  // SYNC take-back: the claim stands before the read of the frame's `withdrawn`, by the full fence in between.
  own.claimed.store(position + 1, base::relaxed);
  WEFT_FAILURE_POINT("ring.claim.stored");
}

/// Reader: true if the frame that peek() found is the reader's to run; then it counts as begun from here on. False if
/// it was withdrawn: it must not run, and the reader commits its answer `returned` before it begins another.
/// Costs a fence only where the last claim() did not reach this frame (the first one, and one behind padding).
[[nodiscard]] inline bool begin(LaneCounters& own, const Consumer& in) noexcept {
  const std::uint64_t position = in.position();
  // Relaxed: this thread's own word.
  if (own.claimed.load(base::relaxed) <= position) [[unlikely]] {
    claim(own, position);
    // SYNC take-back: the claim stands before the read of `withdrawn`; pairs with the fence in first_taken().
    base::full_fence();
  }
  if (in.withdrawn()) [[unlikely]]
    return false;
  // Relaxed: read only when this process is dead, and the kernel lets nobody learn of that before its stores are seen.
  own.begun.store(position + 1, base::relaxed);
  // What the task does must not move before the store; a processor that stops at an instruction keeps to their order.
  base::compiler_fence();
  WEFT_FAILURE_POINT("ring.begin.begun");
  return true;
}

/// Writer: to be called after withdraw() of any number of frames. Those of them that begin at the returned position or
/// behind it are the writer's again and will not run; each of the others runs, or is answered `returned`. `reader` are
/// the counters in the reader's lane: a reader that lies here cheats itself alone.
[[nodiscard]] inline std::uint64_t first_taken(const LaneCounters& reader) noexcept {
  WEFT_FAILURE_POINT("ring.take_back.withdrawn");
  // SYNC take-back: `withdrawn` stands before the read of the claim; pairs with the fence between claim() and begin().
  base::full_fence();
  // Relaxed: the fence before it is what orders it.
  return reader.claimed.load(base::relaxed);
}

enum class TakeBack : std::uint8_t {
  taken,     ///< the writer's again: the reader skips it (and still answers `returned`)
  too_late,  ///< the reader's answer decides: a result, or `returned`
};

/// Writer: withdraws the frame at `position`, which was committed and not answered yet.
[[nodiscard]] inline TakeBack try_take_back(Producer& out, std::uint64_t position,
                                            const LaneCounters& reader) noexcept {
  // What the reader has passed may hold other frames by now: never write there, whatever its counters say.
  if (position < out.consumed()) return TakeBack::too_late;
  // Relaxed: spares the fence where the claim is seen already; claims never go back.
  if (position < reader.claimed.load(base::relaxed)) return TakeBack::too_late;
  out.withdraw(position);
  return position >= first_taken(reader) ? TakeBack::taken : TakeBack::too_late;
}

}  // namespace weft::ring
