// A hostile lane: ring memory and counters of any content, which go on changing between looks. Whatever they hold, the
// reader stays inside the ring and the writer inside its own, no look takes longer than another, and what was refused
// once stays refused.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/check.hpp"
#include "ring/consumer.hpp"
#include "ring/lane.hpp"
#include "ring/producer.hpp"
#include "ring/take_back.hpp"

namespace {

using namespace weft;

constexpr std::uint32_t kLine = 64;

// The fuzzer's bytes, as a stream that ends in zeros.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_{data}, size_{size} {}
  template <class T>
  T take() {
    T value{};
    const std::size_t count = std::min(sizeof value, size_);
    if (count != 0) std::memcpy(&value, data_, count);
    data_ += count;
    size_ -= count;
    return value;
  }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  void fill(std::byte* memory, std::size_t count) {
    const std::size_t copied = std::min(count, size_);
    if (copied != 0) std::memcpy(memory, data_, copied);
    data_ += copied;
    size_ -= copied;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

// Memory of just so many lines: a step beyond it is AddressSanitizer's to find.
struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Lines = std::unique_ptr<std::byte, Free>;
Lines make_lines(std::uint32_t lines) {
  Lines memory{static_cast<std::byte*>(std::aligned_alloc(kLine, std::size_t{lines} * kLine))};
  std::memset(memory.get(), 0, std::size_t{lines} * kLine);
  return memory;
}

// A few words that come up in attacks more often than by chance.
std::uint32_t word_of(Input& input, std::uint32_t lines) {
  const auto kind = input.take<std::uint8_t>();
  switch (kind % 6) {
    case 0:
      return input.take<std::uint32_t>();
    case 1:
      return kind / 6 * kLine;
    case 2:
      return ring::kPaddingBit | (kind / 6 * kLine);
    case 3:
      return ring::kPaddingBit | (lines * kLine);
    case 4:
      return lines / ring::kFrameShare * kLine;
    default:
      return kind / 6;
  }
}

void read_hostile_ring(Input& input) {
  const std::uint32_t lines = 8U << input.take<std::uint8_t>() % 4;
  const Lines memory = make_lines(lines);
  input.fill(memory.get(), input.take<std::uint16_t>() % (std::size_t{lines} * kLine));
  ring::LaneCounters own{};
  ring::Consumer in{memory.get(), lines, &own.consumed};
  volatile std::byte sink{};
  while (!input.empty()) {
    switch (input.take<std::uint8_t>() % 4) {
      case 0: {
        const std::uint32_t word = word_of(input, lines);
        std::memcpy(memory.get() + input.take<std::uint8_t>() % (lines * 16) * 4, &word, sizeof word);
        break;
      }
      case 1: {  // the word that it will look at next
        const std::uint32_t word = word_of(input, lines);
        std::memcpy(memory.get() + (in.position() & (lines - 1)) * kLine, &word, sizeof word);
        break;
      }
      case 2:
        in.publish_consumed();
        break;
      default: {
        const std::uint64_t before = in.position();
        if (in.peek() != ring::Peek::frame) break;
        WEFT_CHECK(in.bytes() >= sizeof(ring::FrameHead), "a frame has room for its head");
        WEFT_CHECK(in.data() + in.bytes() <= memory.get() + std::size_t{lines} * kLine,
                   "a frame lies inside");
        // The writer goes on changing the frame while it is read.
        const std::uint32_t bytes = in.bytes();
        std::memset(memory.get() + (in.position() & (lines - 1)) * kLine, 0xff, sizeof(ring::FrameHead));
        WEFT_CHECK(in.bytes() == bytes, "a length is read once");
        for (std::uint32_t at = 0; at < bytes; ++at) sink = in.data()[at];
        static_cast<void>(ring::begin(own, in));
        in.release();
        WEFT_CHECK(in.position() > before && in.position() - before <= lines, "the reader gets on");
        ring::claim(own, in.position());
      }
    }
  }
  static_cast<void>(sink);
}

void write_to_hostile_reader(Input& input) {
  const std::uint32_t lines = 8U << input.take<std::uint8_t>() % 4;
  const Lines memory = make_lines(lines);
  ring::LaneCounters reader{};
  ring::Producer out{memory.get(), lines, &reader.consumed};
  std::uint64_t last = 0;
  bool was_corrupt = false;
  while (!input.empty()) {
    switch (input.take<std::uint8_t>() % 5) {
      case 0:
        reader.consumed.store(input.take<std::uint8_t>() % 3 == 0
                                  ? input.take<std::uint64_t>()
                                  : out.consumed() + input.take<std::uint8_t>() % 20,
                              base::relaxed);
        break;
      case 1:
        reader.claimed.store(input.take<std::uint64_t>(), base::relaxed);
        break;
      case 2:
        out.prepare();
        break;
      case 3:
        if (out.position() > last) static_cast<void>(ring::try_take_back(out, last, reader));
        break;
      default: {
        const std::uint32_t bytes = static_cast<std::uint32_t>(
            sizeof(ring::FrameHead) + input.take<std::uint16_t>() % (out.frame_bytes_max() - 7));
        std::byte* const frame = out.try_claim(bytes);
        WEFT_CHECK(!was_corrupt || frame == nullptr || out.position() + 1 <= out.consumed() + lines,
                   "bounded");
        was_corrupt = out.corrupt();
        if (frame == nullptr) break;
        WEFT_CHECK(frame >= memory.get() && frame + bytes <= memory.get() + std::size_t{lines} * kLine,
                   "inside");
        std::memset(frame + sizeof(ring::FrameHead), 0xff, bytes - sizeof(ring::FrameHead));
        last = out.commit(bytes);
        WEFT_CHECK(out.position() + 1 <= out.consumed() + lines, "a line stays free");
      }
    }
  }
}

void open_hostile_lane(Input& input) {
  const std::uint32_t lines = 8;
  const std::uint64_t bytes = ring::lane_bytes(lines, 64);
  const Lines memory = make_lines(static_cast<std::uint32_t>(bytes / kLine));
  ring::format_lane(memory.get(), lines, 64, 1);
  while (!input.empty()) {
    memory.get()[input.take<std::uint8_t>() % sizeof(ring::LaneHeader)] = input.take<std::byte>();
    auto lane = ring::open_lane(memory.get(), bytes);
    if (!lane) continue;
    WEFT_CHECK(ring::is_ring_size(lane->ring_lines), "a ring of a size that can be");
    WEFT_CHECK(lane->ring + std::size_t{lane->ring_lines} * kLine <= memory.get() + bytes,
               "the ring lies inside");
    WEFT_CHECK(lane->black_box + lane->black_box_bytes <= memory.get() + bytes, "the black box lies inside");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input{data, size};
  switch (input.take<std::uint8_t>() % 4) {
    case 0:
      open_hostile_lane(input);
      break;
    case 1:
      write_to_hostile_reader(input);
      break;
    default:
      read_hostile_ring(input);
  }
  return 0;
}
