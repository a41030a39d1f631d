#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "wire/control.hpp"
#include "wire/failure.hpp"

namespace {

using weft::base::Fault;
using weft::wire::check_compatible;
using weft::wire::ControlMessage;
using weft::wire::decode_control;
using weft::wire::Identity;

Identity some_identity() {
  Identity identity;
  identity.layout_version = 1;
  identity.build_id = {1, 2, 0xfe};
  return identity;
}

weft::wire::Hello some_hello() {
  weft::wire::Hello hello;
  hello.identity = some_identity();
  hello.worker_id = 1ULL << 40;
  hello.parent_pid = 77;
  hello.nesting_depth = 2;
  hello.parent_lane_bytes = 150'000;
  hello.worker_lane_bytes = 170'000;
  hello.ring_lines = 2048;
  hello.black_box_bytes = 16384;
  hello.spin_ns_max = 50'000;
  hello.output = 2;
  hello.ticks_per_us = 2'400;
  hello.name = "worker 3";
  return hello;
}

std::vector<std::byte> some_failure() {
  weft::wire::FailureReport report;
  report.chain = {{"std::runtime_error", "it threw"}};
  return weft::wire::encode(report);
}

class EachMessage : public testing::TestWithParam<ControlMessage> {};

TEST_P(EachMessage, comes_back_as_it_was) {
  auto decoded = decode_control(weft::wire::encode(GetParam()));
  ASSERT_TRUE(decoded) << decoded.fault().message;
  EXPECT_EQ(*decoded, GetParam());
}

TEST_P(EachMessage, can_be_read_at_any_address) {
  const std::vector<std::byte> bytes = weft::wire::encode(GetParam());
  std::vector<std::byte> shifted(bytes.size() + 1);
  std::memcpy(shifted.data() + 1, bytes.data(), bytes.size());
  auto decoded = decode_control(std::span{shifted}.subspan(1));
  ASSERT_TRUE(decoded) << decoded.fault().message;
  EXPECT_EQ(*decoded, GetParam());
}

TEST_P(EachMessage, is_refused_or_harmless_when_cut_short) {
  const std::vector<std::byte> bytes = weft::wire::encode(GetParam());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto decoded = decode_control(cut);
    if (!decoded) {
      EXPECT_EQ(decoded.fault().kind, Fault::Kind::violation);
    }
  }
}

weft::wire::Hello hello_with_initializer() {
  weft::wire::Hello hello = some_hello();
  hello.initializer = {0xabcd, 2, 3, {std::byte{1}, std::byte{2}, std::byte{3}}};
  return hello;
}

INSTANTIATE_TEST_SUITE_P(
    WireControl, EachMessage,
    testing::Values(ControlMessage{some_hello()}, ControlMessage{hello_with_initializer()},
                    ControlMessage{weft::wire::Ready{some_identity(), 1234}},
                    ControlMessage{weft::wire::StartError{"initializer", "it threw", some_failure()}},
                    ControlMessage{weft::wire::StartError{}},
                    ControlMessage{weft::wire::Chunk{7, 1ULL << 33}},
                    ControlMessage{weft::wire::ChunkRetired{7}}, ControlMessage{weft::wire::Goodbye{}},
                    ControlMessage{weft::wire::Descriptors{1ULL << 40, 64}},
                    ControlMessage{weft::wire::Asking{}}, ControlMessage{weft::wire::Fork{9}},
                    ControlMessage{weft::wire::Forked{9, 77, 11}}));

TEST(WireControl, refuses_what_is_no_control_message) {
  EXPECT_FALSE(decode_control({}));
  EXPECT_FALSE(decode_control(std::vector<std::byte>(64)));
  EXPECT_FALSE(decode_control(std::vector<std::byte>(weft::wire::kControlBytesMax + 1)));
  EXPECT_FALSE(decode_control(some_failure())) << "another table, by its identifier";
}

TEST(WireControl, tells_what_two_processes_differ_in) {
  const Identity ours = some_identity();
  EXPECT_TRUE(check_compatible(ours, ours, true));

  Identity theirs = ours;
  theirs.build_id = {9};
  EXPECT_TRUE(check_compatible(ours, theirs, false)) << "another binary may serve named tasks";
  const auto other_build = check_compatible(ours, theirs, true);
  ASSERT_FALSE(other_build);
  EXPECT_EQ(other_build.fault().kind, Fault::Kind::incompatible);
  EXPECT_EQ(other_build.fault().message,
            "the two processes differ in their builds: build id 0102fe here, 09 there");

  theirs = ours;
  theirs.layout_version = 9;
  EXPECT_EQ(check_compatible(ours, theirs, true).fault().message,
            "the two processes differ in their lane layout: version 1 here, version 9 there");
  theirs = ours;
  theirs.schema_hash = 0xff;
  EXPECT_TRUE(check_compatible(ours, theirs, true).fault().message.ends_with("00000000000000ff there"));
  theirs = ours;
  theirs.magic = 0;
  EXPECT_FALSE(check_compatible(ours, theirs, true));
}

}  // namespace
