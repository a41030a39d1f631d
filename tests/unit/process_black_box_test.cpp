// Reading a black box that may hold anything. tests/process has the crashes that fill one.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "process/black_box.hpp"
#include "process/crash_record.hpp"
#include "process/maps.hpp"
#include "process/symbolize.hpp"

namespace weft::process {

namespace {

struct alignas(64) Area {
  std::byte bytes[kBlackBoxBytes]{};
};

class BlackBoxArea : public ::testing::Test {
 protected:
  BlackBoxArea() : area_{std::make_unique<Area>()}, box_{make_black_box(area_->bytes)} {}
  [[nodiscard]] base::Result<CrashRecord> read() const { return read_crash_record(area_->bytes); }
  BlackBox& box() { return *box_; }
  std::unique_ptr<Area> area_;

 private:
  BlackBox* box_;
};

}  // namespace

TEST_F(BlackBoxArea, holds_nothing_at_first) {
  auto record = read();
  ASSERT_TRUE(record);
  EXPECT_FALSE(record->crashed);
  EXPECT_FALSE(record->exception);
  EXPECT_EQ(record->note, "");
  EXPECT_EQ(record->function, 0U);
}

TEST_F(BlackBoxArea, is_empty_where_no_worker_has_come_to_make_one) {
  const Area zeroes;
  auto record = read_crash_record(zeroes.bytes);
  ASSERT_TRUE(record);
  EXPECT_FALSE(record->crashed);
}

TEST_F(BlackBoxArea, is_refused_with_a_wrong_magic_version_or_size) {
  box().version = 99;
  EXPECT_EQ(read().fault().kind, base::Fault::Kind::violation);
  box().version = kBlackBoxVersion;
  box().magic = 1;
  EXPECT_EQ(read().fault().kind, base::Fault::Kind::violation);
  box().magic = kBlackBoxMagic;
  box().bytes = 64;
  EXPECT_EQ(read().fault().kind, base::Fault::Kind::violation);
  box().bytes = kBlackBoxBytes;
  EXPECT_TRUE(read());
  const std::span<const std::byte> area{area_->bytes};
  EXPECT_FALSE(read_crash_record(area.first(kBlackBoxBytes - 1)));
  EXPECT_FALSE(read_crash_record({}));
}

TEST_F(BlackBoxArea, keeps_the_last_note_cut_to_its_room) {
  note(box(), "first");
  note(box(), std::string(kNoteBytes + 100, 'n'));
  EXPECT_EQ(read()->note, std::string(kNoteBytes, 'n'));
  note(box(), "second");
  EXPECT_EQ(read()->note, "second");
}

TEST_F(BlackBoxArea, does_not_take_what_was_not_committed) {
  box().crash.signal = SIGSEGV;
  box().crash.frame_count.store(3);
  std::strcpy(box().exception.type, "half");
  box().exception.type_bytes = 4;
  auto record = read();
  ASSERT_TRUE(record);
  EXPECT_FALSE(record->crashed);
  EXPECT_FALSE(record->exception);
  box().crash.stage.store(kCrashSeen);
  record = read();
  EXPECT_TRUE(record->crashed);
  EXPECT_FALSE(record->complete);
}

TEST_F(BlackBoxArea, caps_counts_and_lengths_that_a_corrupt_worker_wrote) {
  BlackBox::Crash& crash = box().crash;
  crash.stage.store(UINT32_MAX);
  crash.frame_count.store(UINT32_MAX);
  crash.mapping_count.store(UINT32_MAX);
  crash.signal = -5;
  for (std::size_t index = 0; index < kCrashMappingsMax; ++index) {
    crash.mappings[index] = {0x1000 * index, 0x1000 * index + 1, 0,
                             UINT32_MAX - static_cast<std::uint32_t>(index), UINT32_MAX};
  }
  crash.mappings[1].path_at = kCrashPathsBytes - 2;
  crash.mappings[2] = {5, 5, 0, 0, 1};
  std::fill(std::begin(crash.paths), std::end(crash.paths), 'p');
  box().exception.committed.store(1);
  box().exception.type_bytes = UINT32_MAX;
  box().exception.message_bytes = UINT32_MAX;
  std::fill(std::begin(box().exception.type), std::end(box().exception.type), 't');
  std::fill(std::begin(box().exception.message), std::end(box().exception.message), 'm');
  box().note.bytes.store(UINT32_MAX);
  std::fill(std::begin(box().note.text), std::end(box().note.text), 'n');
  auto record = read();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->frames.size(), kCrashFramesMax);
  ASSERT_EQ(record->mappings.size(), 1U);
  EXPECT_EQ(record->mappings[0].path, "pp");
  EXPECT_EQ(record->exception->type, std::string(kExceptionTypeBytes, 't'));
  EXPECT_EQ(record->exception->message, std::string(kExceptionMessageBytes, 'm'));
  EXPECT_EQ(record->note, std::string(kNoteBytes, 'n'));
  EXPECT_EQ(describe(*record).substr(0, 9), "signal -5");
  EXPECT_FALSE(symbolize(*record).empty());
}

TEST_F(BlackBoxArea, lets_no_control_characters_through) {
  note(box(), "a\033[2Jb\r\x7f\xc2\x9bm\n\tc\xc3\xa4");
  EXPECT_EQ(read()->note, "a?[2Jb??\xc2?m\n\tc\xc3\xa4");
  note(box(), std::string_view{"cut\0here", 8});
  EXPECT_EQ(read()->note, "cut");
}

TEST_F(BlackBoxArea, can_be_read_whatever_it_holds) {
  std::mt19937_64 random{4711};
  for (int pass = 0; pass < 300; ++pass) {
    for (std::size_t at = 0; at < kBlackBoxBytes; at += 8) {
      const std::uint64_t word = random();
      std::memcpy(area_->bytes + at, &word, 8);
    }
    box().magic = kBlackBoxMagic;
    box().version = kBlackBoxVersion;
    box().bytes = kBlackBoxBytes;
    auto record = read();
    ASSERT_TRUE(record);
    EXPECT_LE(record->frames.size(), kCrashFramesMax);
    EXPECT_LE(record->mappings.size(), kCrashMappingsMax);
    EXPECT_FALSE(format_trace(symbolize(*record)).empty() && !record->frames.empty());
    static_cast<void>(describe(*record));
  }
}

TEST(CrashRecord, tells_a_stack_overflow_from_other_wild_addresses) {
  CrashRecord record;
  record.crashed = true;
  record.signal = SIGSEGV;
  record.code = SEGV_MAPERR;
  record.stack_pointer = 0x7fff'0000'0000;
  record.address = record.stack_pointer - 8;
  EXPECT_TRUE(record.looks_like_stack_overflow());
  record.address = 0;
  EXPECT_FALSE(record.looks_like_stack_overflow());
  record.address = record.stack_pointer;
  record.code = SI_USER;
  EXPECT_FALSE(record.looks_like_stack_overflow());
  EXPECT_EQ(describe(record), "SIGSEGV (Segmentation fault): sent by a process");
}

TEST(Maps, finds_the_programs_own_code) {
  Maps maps;
  Maps::Line line;
  const auto here = reinterpret_cast<std::uint64_t>(&make_black_box);
  bool found = false;
  std::uint64_t before = 0;
  while (maps.next(line)) {
    EXPECT_LT(line.begin, line.end);
    EXPECT_GE(line.begin, before);
    before = line.end;
    if (here >= line.begin && here < line.end) {
      found = true;
      EXPECT_TRUE(line.executable);
      EXPECT_TRUE(line.path.starts_with('/')) << line.path;
    }
  }
  EXPECT_TRUE(found);
}

}  // namespace weft::process
