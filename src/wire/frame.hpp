#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weft::wire {

/// What a frame says.
enum class Kind : std::uint8_t {
  task = 1,      ///< parent to worker: run `function` on the payload
  value = 2,     ///< worker to parent: the task's value
  failure = 3,   ///< worker to parent: the task threw, or could not be run; the payload is a Failure table
  returned = 4,  ///< worker to parent: the frame was withdrawn in time, nothing was run
  release = 5,   ///< either way: the payload is a list of loan ids (u64) that the sender no longer needs
  // Between a running task and its submitter; slot and generation are the task's. `function` is the hash of the
  // channel's key.
  open =
      7,  ///< worker to parent: the task has taken its end; `deadline_ns` is the hash of what the channel carries
  channel = 8,    ///< either way: a value
  credit = 9,     ///< either way: so many more values (u64) may be sent
  close = 10,     ///< either way: the sender's end is closed
  progress = 11,  ///< worker to parent: done and total (u64 each)
  ask =
      20,  ///< worker to parent: something of the shared object `function`; the payload is an AskHead and more
  answer = 21,  ///< parent to worker: what came of the ask of this slot and generation
};

/// Bits of FrameHeader::flags.
inline constexpr std::uint16_t kPayloadInBlock =
    1;                                         ///< attachment 0 is a block that holds the payload proper
inline constexpr std::uint16_t kNamed = 2;     ///< `function` is a named task's id, not a place in a module
inline constexpr std::uint16_t kMeasured = 4;  ///< of a task: its answer shall say how long it ran
inline constexpr std::uint16_t kOfOtherTypes = 8;  ///< of close: the two ends do not fit together

/// A frame's fixed part, as it lies at the start of the frame; schemas/frame.fbs is the same struct for readers of
/// the wire, and frame.cpp asserts that the two agree. `length` and `withdrawn` belong to the ring, which
/// writes them.
struct FrameHeader {
  std::uint32_t length = 0;
  std::uint32_t withdrawn = 0;
  std::uint32_t slot = 0;  ///< index of the execution in the sender's table (task) or the receiver's (others)
  std::uint32_t generation = 0;  ///< tells uses of a slot apart
  /// What to run (process/module.hpp), or a named task's id; of an answer: when a measured task began.
  std::uint64_t function = 0;
  std::uint64_t deadline_ns = 0;  ///< CLOCK_MONOTONIC, 0 for none; of an answer: how long a measured task ran
  Kind kind = Kind::task;
  std::uint8_t encoding = 0;  ///< weft::Encoding of the payload
  std::uint16_t flags = 0;
  std::uint16_t attachments = 0;  ///< so many BlockReferences come before the payload
  std::uint16_t reserved = 0;
};
static_assert(sizeof(FrameHeader) == 40 && alignof(FrameHeader) == 8);

/// What is asked of a shared object.
enum class Operation : std::uint32_t {
  take = 1,    ///< permits, of a key
  give = 2,    ///< permits back; no answer
  arrive = 3,  ///< at a barrier, and wait
  drop = 4,    ///< leave a barrier; no answer to a worker's own
  pace = 5,    ///< permits of a rate limit
  load = 6,    ///< the value of a parcel
  store = 7,   ///< another value, by whoever has the parcel, which it gives back with that
  withdraw =
      8,        ///< the ask of this slot and generation, whose answer comes at once now; no answer of its own
  abandon = 9,  ///< permits back that a worker of the sender's had which has died; no answer
};

/// The beginning of an ask's payload. A key (take, give) or a value (store) follows.
struct AskHead {
  Operation operation = Operation::take;
  std::uint32_t count = 0;  ///< of permits
};
static_assert(sizeof(AskHead) == 8);

/// What came of an ask: the lower 8 bits of an answer's `function`.
enum class Verdict : std::uint8_t {
  came = 0,
  timed_out = 1,
  closed = 2,      ///< the object is gone
  exhausted = 3,   ///< the parent had no memory for it
  impossible = 4,  ///< there will never be so many permits
  refused = 5,     ///< nobody may ask that: told to who passed it on for another
};
/// The next bit of it: whoever had this last died with it.
inline constexpr std::uint64_t kAbandoned = 256;

/// The highest bit of the ticket (slot and generation) of an ask that a worker passes on for one of its own workers. What
/// is wrong with it is that one's doing: it is answered, and does not end the sender.
inline constexpr std::uint64_t kRelayed = std::uint64_t{1} << 63;
constexpr bool is_relayed(std::uint64_t ticket) noexcept { return (ticket & kRelayed) != 0; }

/// A block named in a frame. Comes `attachments` times, before the payload.
struct BlockReference {
  std::uint64_t loan = 0;   ///< the owner's id of the loan, given back with Kind::release
  std::uint32_t chunk = 0;  ///< the owner's id of the chunk
  /// 0: the sender's arena; 1: the receiver's own, handed back; 2: a descriptor, no block.
  std::uint32_t owner = 0;
  std::uint64_t offset = 0;  ///< bytes into the chunk
  std::uint64_t length = 0;  ///< bytes
};
static_assert(sizeof(BlockReference) == 32);

// A header goes in and out as four whole words, so that no load waits for narrower stores to its bytes.

/// Fills in a claimed frame, all but the ring's own two words: the reader polls the first meanwhile.
[[gnu::always_inline]] inline void put(std::byte* frame, const FrameHeader& header) noexcept {
  const std::uint64_t place = std::uint64_t{header.generation} << 32 | header.slot;
  const std::uint64_t what = static_cast<std::uint64_t>(header.kind) | std::uint64_t{header.encoding} << 8 |
                             std::uint64_t{header.flags} << 16 | std::uint64_t{header.attachments} << 32;
  std::memcpy(frame + offsetof(FrameHeader, slot), &place, sizeof place);
  std::memcpy(frame + offsetof(FrameHeader, function), &header.function, sizeof header.function);
  std::memcpy(frame + offsetof(FrameHeader, deadline_ns), &header.deadline_ns, sizeof header.deadline_ns);
  std::memcpy(frame + offsetof(FrameHeader, kind), &what, sizeof what);
}

/// A private copy of a frame's header, so that what is checked is what is used. `frame` has sizeof(FrameHeader) bytes.
inline FrameHeader get(const std::byte* frame) noexcept {
  std::uint64_t place = 0;
  std::uint64_t what = 0;
  FrameHeader header;
  std::memcpy(&place, frame + offsetof(FrameHeader, slot), sizeof place);
  std::memcpy(&header.function, frame + offsetof(FrameHeader, function), sizeof header.function);
  std::memcpy(&header.deadline_ns, frame + offsetof(FrameHeader, deadline_ns), sizeof header.deadline_ns);
  std::memcpy(&what, frame + offsetof(FrameHeader, kind), sizeof what);
  header.slot = static_cast<std::uint32_t>(place);
  header.generation = static_cast<std::uint32_t>(place >> 32);
  header.kind = static_cast<Kind>(what);
  header.encoding = static_cast<std::uint8_t>(what >> 8);
  header.flags = static_cast<std::uint16_t>(what >> 16);
  header.attachments = static_cast<std::uint16_t>(what >> 32);
  return header;
}

/// The call that a task's frame belongs to: the parent's own number for it.
inline std::uint64_t call_id(const FrameHeader& header) noexcept {
  return std::uint64_t{header.generation} << 32 | header.slot;
}

}  // namespace weft::wire
