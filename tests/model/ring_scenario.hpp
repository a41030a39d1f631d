#pragma once
// A small ring for scenarios, whose past (what lies in its lines, how far the reader has come) is played before the
// threads start.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine.hpp"
#include "ring/consumer.hpp"
#include "ring/lane.hpp"
#include "ring/producer.hpp"

namespace weft::model {

inline constexpr std::uint32_t kLines = 16;
inline constexpr std::uint32_t kLine = 64;

/// Sizes of frames in lines, ended by 0.
using Frames = std::array<std::uint32_t, 12>;

/// The ring, both ends of it, and the counters in the reader's lane.
struct SmallRing {
  alignas(64) std::array<std::byte, kLines * kLine> bytes{};
  ring::LaneCounters reader{};
  ring::Producer out{bytes.data(), kLines, &reader.consumed};
  ring::Consumer in{bytes.data(), kLines, &reader.consumed};
  std::uint64_t last_position = 0;  ///< the writer's note
  bool prepares = false;            ///< send() calls prepare()

  SmallRing() {
    for (std::uint32_t line = 0; line < kLines; ++line) {
      name_word(bytes.data() + line * kLine, "line", static_cast<int>(line));
    }
    name_word(&reader.consumed, "consumed");
    name_word(&reader.claimed, "claimed");
    name_word(&reader.begun, "begun");
  }

  /// Sends frames whose every word looks like the length of a frame of one line, before the threads start; of these
  /// the reader has released the first `read`, and published that if `published`.
  void play(const Frames& frames, std::size_t read, bool published) {
    for (const std::uint32_t lines : frames) {
      if (lines == 0) break;
      std::byte* const frame = out.try_claim(lines * kLine);
      require(frame != nullptr, "the past of the ring fits");
      for (std::uint32_t at = sizeof(ring::FrameHead); at < lines * kLine; at += 4) {
        std::memcpy(frame + at, &kLine, 4);
      }
      out.commit(lines * kLine);
      if (prepares) out.prepare();
      if (read > 0) {
        --read;
        require(in.peek() == ring::Peek::frame, "the past of the ring can be read");
        in.release();
        if (published) in.publish_consumed();
      }
    }
  }

  /// Writes the words of a claimed frame that matter: the first, those where another frame's head may once have been
  /// or will be, the last.
  static void fill(std::byte* frame, std::uint32_t lines, std::uint32_t value) {
    plain_store(frame + sizeof(ring::FrameHead), value);
    if (lines > 1) {
      plain_store(frame + kLine, value);
      plain_store(frame + kLine + 4, value);
    }
    plain_store(frame + lines * kLine - 4, value);
  }
  static void expect(const std::byte* frame, std::uint32_t lines, std::uint32_t value) {
    require(plain_load(frame + sizeof(ring::FrameHead)) == value, "a frame's first word is what was written");
    if (lines > 1) {
      require(plain_load(frame + kLine) == value, "a frame's inner words are what was written");
      require(plain_load(frame + kLine + 4) == value, "a frame's inner words are what was written");
    }
    require(plain_load(frame + lines * kLine - 4) == value, "a frame's last word is what was written");
  }

  void send(std::uint32_t lines, std::uint32_t value) {
    std::byte* frame = nullptr;
    poll([&] {
      frame = out.try_claim(lines * kLine);
      require(!out.corrupt(), "the reader's counter is believed");
      return frame != nullptr;
    });
    fill(frame, lines, value);
    out.commit(lines * kLine);
    if (prepares) out.prepare();
  }

  /// The next frame, waiting for it. When there is none, tells the writer of all the room there is, as before parking.
  void await_frame() {
    poll([&] {
      const ring::Peek found = in.peek();
      require(found != ring::Peek::corrupt, "no frame looks corrupt");
      if (found == ring::Peek::none && in.unpublished()) in.publish_consumed();
      return found == ring::Peek::frame;
    });
  }
};

inline std::size_t count_of(const Frames& frames) {
  std::size_t count = 0;
  while (count < frames.size() && frames[count] != 0) ++count;
  return count;
}

}  // namespace weft::model
