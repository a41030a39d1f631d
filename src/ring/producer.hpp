#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/atomic.hpp"
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/failure_point.hpp"
#include "base/prefetch.hpp"
#include "ring/lane.hpp"

namespace weft::ring {

/// The writing end of a ring: frames of whole cache lines that announce themselves (ring.md has the argument).
///
/// Owner: whoever owns the lane that the ring lies in. Threads: one at a time. Blocks: never.
/// Crash: whatever instruction its process dies at, the reader sees the frames committed so far and nothing else.
class Producer {
 public:
  Producer() = default;

  /// `ring` is the start of `lines` (a power of two) zeroed cache lines; `consumed` the reader's counter of lines that
  /// it no longer needs, in the reader's memory and so not trusted beyond what refresh() checks.
  Producer(std::byte* ring, std::uint32_t lines, const base::Atomic<std::uint64_t>* consumed) noexcept
      : ring_{ring}, lines_{lines}, zeroed_{lines}, consumed_{consumed} {
    WEFT_CHECK(is_ring_size(lines), "a ring has a power of two of lines, within bounds");
  }

  /// The longest frame, in bytes.
  [[nodiscard]] std::uint32_t frame_bytes_max() const noexcept {
    return lines_ / kFrameShare * static_cast<std::uint32_t>(base::kLineBytes);
  }

  /// Room for a frame of `bytes` (at least sizeof(FrameHead), at most frame_bytes_max()), or nullptr while the reader
  /// has not made enough of it. The frame becomes visible with commit(); a claim that nothing was written to
  /// may be forgotten or repeated with another size.
  [[nodiscard]] std::byte* try_claim(std::uint32_t bytes) noexcept {
    const std::uint32_t lines = lines_of(bytes);
    if (lines_before_end() < lines || !fits(lines)) [[unlikely]]
      return claim_slowly(lines);
    return at(head_);
  }

  /// Publishes the frame of `bytes` that try_claim(bytes) gave. Returns its position (in lines, monotonic).
  std::uint64_t commit(std::uint32_t bytes) noexcept { return commit(at(head_), head_, bytes); }
  /// The same where both are at hand: once the frame is written, they would have to be found again.
  std::uint64_t commit(std::byte* claimed, std::uint64_t position, std::uint32_t bytes) noexcept {
    // Relaxed: published by the length below. The line may hold anything of a frame that lay there before.
    auto* const frame = reinterpret_cast<FrameHead*>(claimed);
    frame->withdrawn.store(0, base::relaxed);
    WEFT_FAILURE_POINT("ring.commit.before_publish");
    publish(frame, position, lines_of(bytes), bytes);
    WEFT_FAILURE_POINT("ring.commit.after_publish");
    return position;
  }

  /// Makes the lines ready that the next frames will begin at. To be called when there is nothing more urgent to do: the
  /// reader's cache (its hardware prefetcher) holds these lines, and a store to one of them that stood before the store
  /// that publishes would hold that up for a whole cache-line transfer.
  void prepare() noexcept {
    // Of frames of one line for several at once: half of the price. Behind longer ones it would be in the way of the next.
    if (last_lines_ == 1 && head_ + kPrepareLines / 2 <= zeroed_) return;
    const std::uint64_t room = consumed_seen_ + lines_;
    const std::uint64_t ahead = head_ + kPrepareLines;
    // So that the stores below find their lines at hand when their turn comes: the next lock or fence waits for them.
    for (std::uint64_t line = zeroed_; line < ahead; line += last_lines_)
      base::prefetch_for_writing(at(line + kPrepareLines));
    zero_up_to(ahead < room ? ahead : room);
  }

  /// The line that the next frame will begin at, which the reader polls. To be asked for (base::prefetch_for_writing) about
  /// as long before a frame of one line is written as it takes to come from the reader's cache: if the frame is ready only
  /// later, the reader has looked again and taken it back.
  [[nodiscard]] const void* head_line() noexcept { return at(head_); }

  /// To be called some time before a frame of more than one line is written: the reader's hardware prefetcher has most
  /// likely fetched the lines behind the one that the reader polls, and so taken them from this side's cache.
  void warm() noexcept {
    base::prefetch_for_writing(at(head_ + 1));
    base::prefetch_for_writing(at(head_ + 2));
  }

  /// Marks the frame at `position` as taken back. The reader may have begun it all the same: doorbell and claim words
  /// decide (ring.md, "Taking a frame back"). Its own memory: the reader cannot write here.
  void withdraw(std::uint64_t position) noexcept {
    // SYNC take-back: the full fence of the caller orders this store before its read of the reader's claimed position.
    head_at(position)->withdrawn.store(1, base::relaxed);
  }

  /// The committed frame at `position`, as it was written; for the owner, who may want it back after the reader died.
  [[nodiscard]] std::byte* at(std::uint64_t position) noexcept {
    return ring_ + (position & (lines_ - 1)) * base::kLineBytes;
  }

  /// The position that the next frame gets, unless padding comes before it.
  [[nodiscard]] std::uint64_t position() const noexcept { return head_; }

  /// The reader's consumed position as last seen and believed.
  [[nodiscard]] std::uint64_t consumed() const noexcept { return consumed_seen_; }

  /// Reads the reader's counter again. False if it holds what cannot be (gone back, or beyond what was written).
  [[nodiscard]] bool refresh() noexcept {
    // SYNC ring-consumed: the reader is done with every line before this position.
    const std::uint64_t seen = consumed_->load(base::acquire);
    if (seen < consumed_seen_ || seen > head_) {
      corrupt_ = true;
      return false;
    }
    consumed_seen_ = seen;
    return true;
  }

  /// True once the reader's counter was seen to hold nonsense; try_claim then gives nothing more.
  [[nodiscard]] bool corrupt() const noexcept { return corrupt_; }

 private:
  static std::uint32_t lines_of(std::uint32_t bytes) noexcept {
    return (bytes + static_cast<std::uint32_t>(base::kLineBytes) - 1) /
           static_cast<std::uint32_t>(base::kLineBytes);
  }
  FrameHead* head_at(std::uint64_t position) noexcept { return reinterpret_cast<FrameHead*>(at(position)); }

  [[nodiscard]] std::uint32_t lines_before_end() const noexcept {
    return lines_ - (static_cast<std::uint32_t>(head_) & (lines_ - 1));
  }
  /// `lines` and the line after them, whose first word publish() zeroes, must be the writer's.
  [[nodiscard]] bool fits(std::uint32_t lines) const noexcept {
    return head_ + lines + 1 <= consumed_seen_ + lines_;
  }
  bool has_room(std::uint32_t lines) noexcept {
    return fits(lines) || (!corrupt_ && refresh() && fits(lines));
  }
  /// Near the end of the ring, or where the reader's counter must be read again.
  [[gnu::noinline]] std::byte* claim_slowly(std::uint32_t lines) noexcept {
    if (const std::uint32_t rest = lines_before_end(); rest < lines && !pad(rest)) return nullptr;
    return has_room(lines) ? at(head_) : nullptr;
  }

  bool pad(std::uint32_t lines) noexcept {
    if (!has_room(lines)) return false;
    publish(head_at(head_), head_, lines,
            kPaddingBit | (lines * static_cast<std::uint32_t>(base::kLineBytes)));
    return true;
  }

  void publish(FrameHead* frame, std::uint64_t position, std::uint32_t lines, std::uint32_t word) noexcept {
    const std::uint64_t next = position + lines;
    head_ = next;
    last_lines_ = lines;
    // The lines within the frame hold its payload by now; whatever they begin with is none of the ring's words.
    if (zeroed_ < next) [[unlikely]]
      zeroed_ = next;
    zero_up_to(next + 1);  // nothing to do where prepare() was called in time
    WEFT_FAILURE_POINT("ring.commit.zeroed_next");
    // SYNC ring-frame: the whole frame, and the zero where the next one will begin.
    frame->length.store(word, base::release);
  }

  /// The first word of every line from the head up to `position` shall be zero: a frame may begin at any of them.
  void zero_up_to(std::uint64_t position) noexcept {
    if (zeroed_ >= position) return;
    // Not the members: each store below could be to one of them, as far as the compiler knows.
    std::uint64_t line = zeroed_;
    std::byte* const ring = ring_;
    const std::uint64_t mask = lines_ - 1;
    // Relaxed: the release store of the frame before carries it; the reader looks at a line only after that.
    for (; line < position; ++line)
      reinterpret_cast<FrameHead*>(ring + (line & mask) * base::kLineBytes)->length.store(0, base::relaxed);
    zeroed_ = position;
  }

  std::byte* ring_ = nullptr;
  std::uint32_t lines_ = 0;
  bool corrupt_ = false;
  std::uint32_t last_lines_ = 1;  // of the frame published last
  std::uint64_t head_ = 0;
  std::uint64_t zeroed_ = 0;  // lines before this position, from the head on, begin with a zero word
  std::uint64_t consumed_seen_ = 0;
  const base::Atomic<std::uint64_t>* consumed_ = nullptr;
};

}  // namespace weft::ring
