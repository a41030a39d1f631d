// One ring, both ends in one thread: what fits, what is refused, and whatever is sent comes out as it went in.

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "ring/consumer.hpp"
#include "ring/lane.hpp"
#include "ring/producer.hpp"
#include "ring/take_back.hpp"

namespace weft::ring {
namespace {

constexpr std::uint32_t kLine = 64;

template <std::uint32_t kLines>
struct Ring {
  alignas(64) std::array<std::byte, kLines * kLine> bytes{};
  LaneCounters reader{};
  Producer out{bytes.data(), kLines, &reader.consumed};
  Consumer in{bytes.data(), kLines, &reader.consumed};

  /// As a hostile writer would.
  void set_length(std::uint32_t line, std::uint32_t length) {
    reinterpret_cast<FrameHead*>(bytes.data() + line * kLine)->length.store(length, base::relaxed);
  }
  bool send(std::uint32_t size) {
    if (out.try_claim(size) == nullptr) return false;
    out.commit(size);
    return true;
  }
  void pass(std::uint32_t size) {
    ASSERT_TRUE(send(size));
    ASSERT_EQ(in.peek(), Peek::frame);
    in.release();
    in.publish_consumed();
  }
};

TEST(Ring, gives_frames_out_in_order_and_nothing_after_them) {
  Ring<16> ring;
  EXPECT_EQ(ring.in.peek(), Peek::none);
  for (std::uint32_t size : {8U, 64U, 65U, 128U}) ASSERT_TRUE(ring.send(size));
  for (std::uint32_t size : {8U, 64U, 65U, 128U}) {
    ASSERT_EQ(ring.in.peek(), Peek::frame);
    EXPECT_EQ(ring.in.bytes(), size);
    ring.in.release();
  }
  EXPECT_EQ(ring.in.peek(), Peek::none);
}

TEST(Ring, tells_the_same_position_at_both_ends) {
  Ring<16> ring;
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t size = i % 3 == 0 ? 128 : 40;
    ASSERT_NE(ring.out.try_claim(size), nullptr);
    const std::uint64_t position = ring.out.commit(size);
    ASSERT_EQ(ring.in.peek(), Peek::frame);
    EXPECT_EQ(ring.in.position(), position);
    EXPECT_EQ(ring.in.next_position(), ring.out.position());
    ring.in.release();
  }
}

TEST(Ring, is_full_before_the_reader_could_see_old_bytes) {
  Ring<16> ring;
  std::uint32_t sent = 0;
  while (ring.send(kLine)) ++sent;
  EXPECT_EQ(sent, 15U);  // one line stays free for the zero after the last frame
  ASSERT_EQ(ring.in.peek(), Peek::frame);
  ring.in.release();
  EXPECT_FALSE(ring.send(kLine)) << "the writer was not told yet";
  ring.in.publish_consumed();
  EXPECT_TRUE(ring.send(kLine));
  EXPECT_FALSE(ring.send(kLine));
}

TEST(Ring, has_room_for_its_longest_frame_once_everything_was_read_and_told) {
  Ring<64> ring;
  for (std::uint32_t before = 0; before < 200; ++before) {
    ring.pass(kLine);
    ring.pass(ring.out.frame_bytes_max());
  }
}

// A reader that never parks tells of a quarter of the ring by itself: enough for the longest frame and its padding.
TEST(Ring, goes_on_without_the_reader_ever_publishing_by_hand) {
  Ring<16> ring;
  std::mt19937 random{1};
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(ring.send(random() % 2 == 0 ? 9 : 73)) << i;
    ASSERT_EQ(ring.in.peek(), Peek::frame);
    ring.in.release();
  }
}

TEST(Ring, lets_a_claim_be_forgotten_or_repeated_with_another_size) {
  Ring<16> ring;
  EXPECT_NE(ring.out.try_claim(128), nullptr);
  EXPECT_EQ(ring.in.peek(), Peek::none);
  EXPECT_NE(ring.out.try_claim(40), nullptr);
  ring.out.commit(40);
  ASSERT_EQ(ring.in.peek(), Peek::frame);
  EXPECT_EQ(ring.in.bytes(), 40U);
}

// The reference is a queue of byte strings.
TEST(Ring, brings_random_frames_through_random_rings_unchanged) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random{seed};
    Ring<32> ring;
    std::deque<std::vector<std::byte>> reference;
    for (int step = 0; step < 2000; ++step) {
      const auto size =
          static_cast<std::uint32_t>(sizeof(FrameHead) + random() % (ring.out.frame_bytes_max() - 7));
      switch (random() % 5) {
        case 0:
        case 1:
          if (std::byte* const frame = ring.out.try_claim(size)) {
            std::vector<std::byte> payload(size - sizeof(FrameHead));
            for (std::byte& byte : payload) byte = static_cast<std::byte>(random());
            if (!payload.empty()) std::memcpy(frame + sizeof(FrameHead), payload.data(), payload.size());
            ring.out.commit(size);
            reference.push_back(payload);
          }
          break;
        case 2:
        case 3:
          if (reference.empty()) {
            ASSERT_EQ(ring.in.peek(), Peek::none);
          } else {
            ASSERT_EQ(ring.in.peek(), Peek::frame);
            ASSERT_EQ(ring.in.bytes(), reference.front().size() + sizeof(FrameHead));
            ASSERT_FALSE(ring.in.withdrawn());
            ASSERT_TRUE(std::equal(reference.front().begin(), reference.front().end(),
                                   ring.in.data() + sizeof(FrameHead)));
            ring.in.release();
            reference.pop_front();
          }
          break;
        default:
          if (random() % 2 == 0) ring.out.prepare();
          if (random() % 2 == 0) ring.in.publish_consumed();
      }
    }
    EXPECT_FALSE(ring.out.corrupt());
  }
}

// A hostile writer.

TEST(RingConsumer, refuses_lengths_that_cannot_be) {
  // 16 lines: no frame is longer than two of them.
  for (const std::uint32_t length : {1U, 4U, 7U, 129U, 192U, 1024U, 1025U, 0x7fff'ffffU}) {
    Ring<16> ring;
    ring.set_length(0, length);
    EXPECT_EQ(ring.in.peek(), Peek::corrupt) << length;
    EXPECT_EQ(ring.in.peek(), Peek::corrupt) << "and stays so";
  }
}

TEST(RingConsumer, takes_the_shortest_and_the_longest_frame) {
  for (const std::uint32_t length : {8U, 128U}) {
    Ring<16> ring;
    ring.set_length(0, length);
    EXPECT_EQ(ring.in.peek(), Peek::frame) << length;
  }
}

TEST(RingConsumer, refuses_a_frame_over_the_end) {
  Ring<16> ring;
  for (int i = 0; i < 15; ++i) ring.pass(kLine);
  ring.set_length(15, 65);
  EXPECT_EQ(ring.in.peek(), Peek::corrupt);
  ring.set_length(15, 64);
  EXPECT_EQ(ring.in.peek(), Peek::frame);
}

TEST(RingConsumer, refuses_padding_that_does_not_reach_just_to_the_end) {
  for (const std::uint32_t length : {0U, 1U, 63U, 65U, 128U, 0x7fff'ffffU, 0x7fff'ffc0U}) {
    Ring<16> ring;
    for (int i = 0; i < 15; ++i) ring.pass(kLine);
    ring.set_length(15, kPaddingBit | length);
    EXPECT_EQ(ring.in.peek(), Peek::corrupt) << length;
  }
}

TEST(RingConsumer, refuses_a_whole_ring_of_padding_and_padding_behind_padding) {
  Ring<16> ring;
  ring.set_length(0, kPaddingBit | 16 * kLine);
  EXPECT_EQ(ring.in.peek(), Peek::corrupt);

  Ring<16> twice;
  for (int i = 0; i < 15; ++i) twice.pass(kLine);
  twice.set_length(15, kPaddingBit | kLine);
  twice.set_length(0, kPaddingBit | 16 * kLine);
  EXPECT_EQ(twice.in.peek(), Peek::corrupt);
}

// A hostile reader.

TEST(RingProducer, believes_no_counter_beyond_what_it_wrote) {
  Ring<16> ring;
  while (ring.send(kLine)) {
  }
  ring.reader.consumed.store(16, base::relaxed);
  EXPECT_FALSE(ring.out.refresh());
  EXPECT_TRUE(ring.out.corrupt());
  ring.reader.consumed.store(4, base::relaxed);
  EXPECT_EQ(ring.out.try_claim(kLine), nullptr) << "once a liar, always a liar";
}

TEST(RingProducer, believes_no_counter_that_goes_back) {
  Ring<16> ring;
  for (int i = 0; i < 8; ++i) ring.pass(kLine);
  ASSERT_TRUE(ring.out.refresh());
  ring.reader.consumed.store(7, base::relaxed);
  EXPECT_FALSE(ring.out.refresh());
  EXPECT_TRUE(ring.out.corrupt());
}

// Taking back.

TEST(TakeBack, takes_what_has_not_begun_and_nothing_else) {
  Ring<16> ring;
  std::array<std::uint64_t, 3> positions{};
  for (std::uint64_t& position : positions) {
    ASSERT_NE(ring.out.try_claim(40), nullptr);
    position = ring.out.commit(40);
  }
  ASSERT_EQ(ring.in.peek(), Peek::frame);
  EXPECT_TRUE(begin(ring.reader, ring.in));
  EXPECT_EQ(ring.reader.begun.load(base::relaxed), positions[0] + 1);
  EXPECT_EQ(try_take_back(ring.out, positions[0], ring.reader), TakeBack::too_late);
  EXPECT_EQ(try_take_back(ring.out, positions[2], ring.reader), TakeBack::taken);
  ring.in.release();
  ASSERT_EQ(ring.in.peek(), Peek::frame);
  EXPECT_TRUE(begin(ring.reader, ring.in));
  ring.in.release();
  ASSERT_EQ(ring.in.peek(), Peek::frame);
  EXPECT_FALSE(begin(ring.reader, ring.in));
  EXPECT_EQ(ring.reader.begun.load(base::relaxed), positions[1] + 1) << "what was withdrawn has not begun";
}

TEST(TakeBack, comes_too_late_for_a_frame_that_was_claimed_before_it_arrived) {
  Ring<16> ring;
  claim(ring.reader, 0);
  ASSERT_NE(ring.out.try_claim(40), nullptr);
  EXPECT_EQ(try_take_back(ring.out, ring.out.commit(40), ring.reader), TakeBack::too_late);
}

TEST(TakeBack, never_touches_a_line_that_the_reader_has_passed) {
  Ring<16> ring;
  ring.pass(40);
  ASSERT_TRUE(ring.out.refresh());
  const std::array before = ring.bytes;
  ring.reader.claimed.store(0, base::relaxed);  // a lie
  EXPECT_EQ(try_take_back(ring.out, 0, ring.reader), TakeBack::too_late);
  EXPECT_EQ(before, ring.bytes);
}

// Lanes.

TEST(Lane, is_opened_as_it_was_formatted) {
  alignas(64) std::array<std::byte, lane_bytes(16, 100)> memory{};
  const LaneView own = format_lane(memory.data(), 16, 100, 1234);
  auto peer = open_lane(memory.data(), memory.size());
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->ring, own.ring);
  EXPECT_EQ(peer->ring_lines, 16U);
  EXPECT_EQ(peer->black_box, own.black_box);
  EXPECT_EQ(peer->header->owner_pid, 1234U);
  EXPECT_LE(own.ring + 16 * kLine, memory.data() + memory.size());
}

TEST(Lane, is_refused_if_any_of_its_sizes_does_not_fit) {
  using Field = void (*)(LaneHeader&);
  const Field spoils[] = {
      [](LaneHeader& header) { ++header.magic; },
      [](LaneHeader& header) { ++header.layout_version; },
      [](LaneHeader& header) { header.lane_bytes += 64; },
      [](LaneHeader& header) { header.lane_bytes = 0; },
      [](LaneHeader& header) { header.ring_lines = 0; },
      [](LaneHeader& header) { header.ring_lines = 4; },
      [](LaneHeader& header) { header.ring_lines = 15; },
      [](LaneHeader& header) { header.ring_lines = 32; },
      [](LaneHeader& header) { header.ring_lines = 0x8000'0000; },
      [](LaneHeader& header) { header.ring_offset += 64; },
      [](LaneHeader& header) { header.ring_offset = ~std::uint64_t{0}; },
      [](LaneHeader& header) { header.black_box_offset = 0; },
      [](LaneHeader& header) { header.black_box_bytes = ~std::uint64_t{63}; },
      [](LaneHeader& header) { header.black_box_bytes += 1; },
  };
  for (const Field spoil : spoils) {
    alignas(64) std::array<std::byte, lane_bytes(16, 100)> memory{};
    const LaneView own = format_lane(memory.data(), 16, 100, 1);
    ASSERT_TRUE(open_lane(memory.data(), memory.size()));
    spoil(*own.header);
    EXPECT_FALSE(open_lane(memory.data(), memory.size())) << &spoil - spoils;
  }
  alignas(64) std::array<std::byte, lane_bytes(16, 100)> memory{};
  format_lane(memory.data(), 16, 100, 1);
  EXPECT_FALSE(open_lane(memory.data(), memory.size() - 1));
  EXPECT_FALSE(open_lane(memory.data(), 10));
}

TEST(Lane, counts_run_times_in_buckets_that_double) {
  EXPECT_EQ(run_times_bucket(0), 0U);
  EXPECT_EQ(run_times_bucket(63), 0U);
  for (std::size_t bucket = 1; bucket < kRunTimes; ++bucket) {
    const std::uint64_t begin = std::uint64_t{1} << (bucket + kRunTimesFirstBits - 1);
    EXPECT_EQ(run_times_bucket(begin - 1), bucket - 1);
    EXPECT_EQ(run_times_bucket(begin), bucket);
    EXPECT_EQ(run_times_bucket(2 * begin - 1), bucket);
  }
  EXPECT_EQ(run_times_bucket(~std::uint64_t{0}), kRunTimes - 1);
}

}  // namespace
}  // namespace weft::ring
