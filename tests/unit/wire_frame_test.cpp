#include <gtest/gtest.h>
#include <weft/schemas/frame_generated.h>

#include <array>
#include <cstring>

#include "wire/frame.hpp"

namespace {

using weft::wire::BlockReference;
using weft::wire::FrameHeader;
using weft::wire::Kind;

constexpr FrameHeader kHeader{.slot = 3,
                              .generation = 4,
                              .function = 0x1122'3344'5566'7788,
                              .deadline_ns = 6,
                              .kind = Kind::returned,
                              .encoding = 3,
                              .flags = 9,
                              .attachments = 10,
                              .reserved = 0};

TEST(WireFrame, is_what_the_schema_says) {
  alignas(8) std::array<std::byte, sizeof(FrameHeader)> memory{};
  weft::wire::put(memory.data(), kHeader);
  const auto* const frame = reinterpret_cast<const weft::schemas::Frame*>(memory.data());
  EXPECT_EQ(frame->slot(), 3U);
  EXPECT_EQ(frame->generation(), 4U);
  EXPECT_EQ(frame->function(), 0x1122'3344'5566'7788U);
  EXPECT_EQ(frame->deadline_ns(), 6U);
  EXPECT_EQ(frame->kind(), weft::schemas::FrameKind::returned);
  EXPECT_EQ(frame->encoding(), weft::schemas::PayloadEncoding::values);
  EXPECT_EQ(frame->flags(), 9U);
  EXPECT_EQ(frame->attachments(), 10U);
}

TEST(WireFrame, has_its_bytes_where_the_wire_document_puts_them) {
  alignas(8) std::array<std::byte, sizeof(FrameHeader)> memory{};
  weft::wire::put(memory.data(), kHeader);
  EXPECT_EQ(memory[8], std::byte{3});
  EXPECT_EQ(memory[12], std::byte{4});
  EXPECT_EQ(memory[16], std::byte{0x88}) << "little-endian";
  EXPECT_EQ(memory[23], std::byte{0x11});
  EXPECT_EQ(memory[24], std::byte{6});
  EXPECT_EQ(memory[32], std::byte{4});
  EXPECT_EQ(memory[33], std::byte{3});
  EXPECT_EQ(memory[34], std::byte{9});
  EXPECT_EQ(memory[36], std::byte{10});
}

TEST(WireFrame, leaves_the_words_of_the_ring_to_it) {
  alignas(8) std::array<std::byte, sizeof(FrameHeader)> memory;
  memory.fill(std::byte{0xaa});
  weft::wire::put(memory.data(), kHeader);
  for (std::size_t i = 0; i < offsetof(FrameHeader, slot); ++i) EXPECT_EQ(memory[i], std::byte{0xaa}) << i;
}

TEST(WireFrame, is_read_back_as_it_was_written) {
  alignas(8) std::array<std::byte, sizeof(FrameHeader)> memory{};
  weft::wire::put(memory.data(), kHeader);
  const FrameHeader header = weft::wire::get(memory.data());
  EXPECT_EQ(std::memcmp(&header, &kHeader, sizeof header), 0);
}

TEST(WireFrame, names_blocks_as_the_schema_says) {
  const BlockReference reference{.loan = 1, .chunk = 2, .owner = 1, .offset = 4, .length = 5};
  weft::schemas::BlockReference read;
  static_assert(sizeof read == sizeof reference);
  std::memcpy(static_cast<void*>(&read), &reference, sizeof read);
  EXPECT_EQ(read.loan(), 1U);
  EXPECT_EQ(read.chunk(), 2U);
  EXPECT_EQ(read.owner(), 1U);
  EXPECT_EQ(read.offset(), 4U);
  EXPECT_EQ(read.length(), 5U);
}

}  // namespace
