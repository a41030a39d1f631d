#pragma once

#include <cstddef>
#include <cstdint>

#include "base/atomic.hpp"
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/prefetch.hpp"
#include "ring/lane.hpp"

namespace weft::ring {

/// What peek() found.
enum class Peek : std::uint8_t {
  none,     ///< no frame yet
  frame,    ///< data() and bytes() are the frame's
  corrupt,  ///< the writer published a length that cannot be: protocol violation, and nothing more will be read
};

/// The reading end of a ring. Never writes to the ring: it may be mapped read-only.
///
/// Owner: the peer of the lane's owner. Threads: one at a time. Blocks: never.
/// Trust: none. The length word is read once, and refused unless the whole frame lies inside the ring.
class Consumer {
 public:
  Consumer() = default;

  /// `consumed` is this reader's counter, in its own lane, that the writer reads to find room.
  Consumer(const std::byte* ring, std::uint32_t lines, base::Atomic<std::uint64_t>* consumed) noexcept
      : ring_{ring}, lines_{lines}, consumed_{consumed} {
    WEFT_CHECK(is_ring_size(lines), "a ring has a power of two of lines, within bounds");
  }

  /// Looks for the next frame. After `frame`, its bytes stay valid until publish_consumed() after release().
  [[nodiscard]] Peek peek() noexcept {
    // SYNC ring-frame: the whole frame, and the zero where the next one will begin.
    std::uint32_t word = head_at(position_)->length.load(base::acquire);
    if (word == 0) return Peek::none;
    if ((word & kPaddingBit) != 0) [[unlikely]] {
      if (!skip_padding(word)) return Peek::corrupt;
      word = head_at(position_)->length.load(base::acquire);  // SYNC ring-frame: as above.
      if (word == 0) return Peek::none;
    }
    // Padding twice in a row, a length of nothing or of more than may be, a frame over the end: never by our writer.
    if (word < sizeof(FrameHead)) [[unlikely]]
      return Peek::corrupt;
    if (word > base::kLineBytes) {
      if (!can_hold(word)) [[unlikely]]
        return Peek::corrupt;
      // Its other lines come together then, rather than one after the other when they are read.
      base::prefetch_for_reading(head_at(position_ + 1));
      base::prefetch_for_reading(head_at(position_ + 2));
    }
    bytes_ = word;
    return Peek::frame;
  }

  /// The frame that peek() found.
  [[nodiscard]] const std::byte* data() const noexcept {
    return ring_ + (position_ & (lines_ - 1)) * base::kLineBytes;
  }
  [[nodiscard]] std::uint32_t bytes() const noexcept { return bytes_; }

  /// Its position, as the writer's commit() gave it.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

  /// Where the next frame will be, once release() has let go of this one (padding aside).
  [[nodiscard]] std::uint64_t next_position() const noexcept {
    return position_ + (bytes_ + base::kLineBytes - 1) / base::kLineBytes;
  }

  /// True if the writer has taken this frame back.
  [[nodiscard]] bool withdrawn() const noexcept {
    // SYNC take-back: read after the claimed position was stored and a full fence passed.
    return head_at(position_)->withdrawn.load(base::relaxed) != 0;
  }

  /// Goes on to the next frame. The writer learns of it at the next publish_consumed(), or after a quarter of the ring.
  void release() noexcept {
    position_ = next_position();
    if (position_ - published_ >= lines_ / 4) publish_consumed();
  }

  /// The same, and publish_consumed().
  void release_and_publish() noexcept {
    position_ = next_position();
    publish_consumed();
  }

  /// Lets the writer reuse every frame released so far.
  void publish_consumed() noexcept {
    published_ = position_;
    // SYNC ring-consumed: every read of the lines before this position.
    consumed_->store(position_, base::release);
  }

  /// True if the writer does not know yet of all that was released.
  [[nodiscard]] bool unpublished() const noexcept { return published_ != position_; }

 private:
  [[nodiscard]] const FrameHead* head_at(std::uint64_t position) const noexcept {
    return reinterpret_cast<const FrameHead*>(ring_ + (position & (lines_ - 1)) * base::kLineBytes);
  }

  /// Whether a frame of so many bytes may be here: one of a line always may.
  [[nodiscard]] bool can_hold(std::uint32_t bytes) const noexcept {
    const std::uint32_t line_bytes = static_cast<std::uint32_t>(base::kLineBytes);
    const std::uint32_t index = static_cast<std::uint32_t>(position_) & (lines_ - 1);
    return bytes <= lines_ / kFrameShare * line_bytes && bytes <= (lines_ - index) * line_bytes;
  }

  bool skip_padding(std::uint32_t word) noexcept {
    const std::uint32_t rest = lines_ - (static_cast<std::uint32_t>(position_) & (lines_ - 1));
    // Padding reaches exactly to the end of the ring, and is never a whole ring.
    if ((word & ~kPaddingBit) != rest * base::kLineBytes || rest == lines_) return false;
    position_ += rest;
    return true;
  }

  const std::byte* ring_ = nullptr;
  std::uint32_t lines_ = 0;
  std::uint32_t bytes_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t published_ = 0;
  base::Atomic<std::uint64_t>* consumed_ = nullptr;
};

}  // namespace weft::ring
