#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/limits.hpp"
#include "doorbell/doorbell.hpp"
#include "ring/consumer.hpp"
#include "ring/lane.hpp"
#include "ring/producer.hpp"
#include "wire/frame.hpp"

namespace weft::link {

/// The frames between this process and one peer: a ring out, a ring in, and the peer's bell.
///
/// Owner: the pool (in the parent), the worker loop (in a worker). Threads: one at a time. Blocks: never.
class FramePort {
 public:
  FramePort() = default;
  /// `own` and `peer` are the two lanes, `peer_word` the word in which the peer says how it wants to be woken, `bells`
  /// its eventfds (borrowed).
  FramePort(const ring::LaneView& own_lane, const ring::LaneView& peer_lane,
            const base::Atomic<std::uint64_t>* peer_word, int bell_0, int bell_1) noexcept
      : out{own_lane.ring, own_lane.ring_lines, &peer_lane.counters->consumed},
        in{peer_lane.ring, peer_lane.ring_lines, &own_lane.counters->consumed},
        own{own_lane.counters},
        peer{peer_lane.counters},
        ringer_{peer_word},
        bells_{bell_0, bell_1} {}

  /// Writes a frame and publishes it; false while the ring has no room. The caller then looks at the bell.
  /// `references` and `payload` together fit kInlineBytesMax plus kReferencesMax references.
  /// Inlined, so that the header's small fields meet in registers: stored one by one and read back as a word, they
  /// would wait until all that was stored before, the last frame's lines too, has reached the cache.
  [[gnu::always_inline, nodiscard]] bool send(const wire::FrameHeader& header,
                                              std::span<const wire::BlockReference> references,
                                              std::span<const std::byte> payload,
                                              std::uint64_t* position = nullptr) noexcept {
    const auto bytes =
        static_cast<std::uint32_t>(sizeof(wire::FrameHeader) + references.size_bytes() + payload.size());
    std::byte* const frame = out.try_claim(bytes);
    if (frame == nullptr) [[unlikely]]
      return false;
    const std::uint64_t begin = out.position();  // behind padding, if there had to be some
    wire::put(frame, header);
    std::byte* at = frame + sizeof(wire::FrameHeader);
    if (!references.empty()) {
      std::memcpy(at, references.data(), references.size_bytes());
      at += references.size_bytes();
    }
    base::copy_bytes(at, payload.data(), payload.size());
    const std::uint64_t where = out.commit(frame, begin, bytes);
    if (position != nullptr) *position = where;
    return true;
  }

  /// False while send() would fail for want of room.
  [[nodiscard]] bool has_room(std::size_t references, std::size_t payload) noexcept {
    return out.try_claim(static_cast<std::uint32_t>(
               sizeof(wire::FrameHeader) + references * sizeof(wire::BlockReference) + payload)) != nullptr;
  }

  /// After publishing: wakes the peer if it sleeps and was not woken yet. Passes a full fence.
  void ring_if_asleep() noexcept {
    const doorbell::Word word = ringer_.published();
    if (word.sleeps()) [[unlikely]]
      ring(word);
  }
  /// Passes a full fence and gives the peer's word.
  [[nodiscard]] doorbell::Word published() noexcept { return ringer_.published(); }
  /// The peer's word, where a full fence has just been passed.
  [[nodiscard]] doorbell::Word look() const noexcept { return ringer_.look(); }
  /// Rings the bell of this epoch, unless it was rung before.
  void ring(doorbell::Word word) noexcept;

  ring::Producer out;
  ring::Consumer in;
  ring::LaneCounters* own = nullptr;
  const ring::LaneCounters* peer = nullptr;

 private:
  doorbell::Ringer ringer_;
  int bells_[2] = {-1, -1};
};

}  // namespace weft::link
