#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "wire/failure.hpp"

namespace {

using weft::base::Fault;
using weft::wire::decode_failure;
using weft::wire::encode;
using weft::wire::FailureReport;

FailureReport full_report() {
  FailureReport report;
  report.kind = FailureReport::Kind::exception;
  report.had_begun = true;
  report.message = "message";
  report.chain = {{"std::filesystem::filesystem_error", "cannot open"}, {"my::Error", ""}};
  report.program_counters = {0x7fff'0000'1234, 2, 3};
  report.trace = "#0 f()\n#1 g()";
  report.code = -2;
  report.category = "generic";
  report.paths = {"/a", "/b"};
  report.value = {std::byte{1}, std::byte{0}};
  return report;
}

void expect_same(const FailureReport& left, const FailureReport& right) {
  EXPECT_EQ(left.kind, right.kind);
  EXPECT_EQ(left.had_begun, right.had_begun);
  EXPECT_EQ(left.message, right.message);
  ASSERT_EQ(left.chain.size(), right.chain.size());
  for (std::size_t i = 0; i < left.chain.size(); ++i) {
    EXPECT_EQ(left.chain[i].type, right.chain[i].type);
    EXPECT_EQ(left.chain[i].message, right.chain[i].message);
  }
  EXPECT_EQ(left.program_counters, right.program_counters);
  EXPECT_EQ(left.trace, right.trace);
  EXPECT_EQ(left.code, right.code);
  EXPECT_EQ(left.category, right.category);
  EXPECT_EQ(left.paths, right.paths);
  EXPECT_EQ(left.value, right.value);
}

TEST(WireFailure, comes_back_as_it_was) {
  auto decoded = decode_failure(encode(full_report()));
  ASSERT_TRUE(decoded) << decoded.fault().message;
  expect_same(*decoded, full_report());

  FailureReport unknown;
  unknown.kind = FailureReport::Kind::unknown_task;
  unknown.message = "no task 7";
  decoded = decode_failure(encode(unknown));
  ASSERT_TRUE(decoded) << decoded.fault().message;
  expect_same(*decoded, unknown);
}

TEST(WireFailure, can_be_read_at_any_address) {
  const std::vector<std::byte> bytes = encode(full_report());
  std::vector<std::byte> shifted(bytes.size() + 1);
  std::memcpy(shifted.data() + 1, bytes.data(), bytes.size());
  auto decoded = decode_failure(std::span{shifted}.subspan(1));
  ASSERT_TRUE(decoded) << decoded.fault().message;
  expect_same(*decoded, full_report());
}

TEST(WireFailure, is_cut_to_what_fits) {
  FailureReport report = full_report();
  report.message.assign(100'000, 'm');
  report.trace.assign(100'000, 't');
  report.chain.assign(100, {std::string(50'000, 'x'), std::string(50'000, 'y')});
  report.program_counters.assign(10'000, 1);
  report.value.assign(50'000, std::byte{1});
  for (const std::size_t bytes_max :
       {weft::wire::kFailureBytesMin, std::size_t{weft::base::kInlineBytesMax}, std::size_t{4096},
        std::size_t{100'000}, weft::wire::kFailureBytesMax}) {
    const std::vector<std::byte> bytes = encode(report, bytes_max);
    EXPECT_LE(bytes.size(), bytes_max);
    const auto decoded = decode_failure(bytes);
    ASSERT_TRUE(decoded) << bytes_max << ": " << decoded.fault().message;
  }
  auto longest = decode_failure(encode(report));
  ASSERT_TRUE(longest);
  EXPECT_EQ(longest->chain.size(), weft::wire::kFailureChainMax);
  EXPECT_EQ(longest->chain[0].message.size(), weft::wire::kFailureTextBytesMax);
  EXPECT_TRUE(longest->chain[0].message.ends_with("y..."));
  EXPECT_EQ(longest->value.size(), 50'000U);
  auto shortest = decode_failure(encode(report, weft::wire::kFailureBytesMin));
  ASSERT_TRUE(shortest);
  EXPECT_TRUE(shortest->chain[0].type.starts_with("xxx")) << "what it was is the last thing to go";
}

TEST(WireFailure, does_not_tear_characters) {
  FailureReport report;
  report.kind = FailureReport::Kind::cancelled;
  for (std::size_t i = 0; i < weft::wire::kFailureTextBytesMax; ++i) report.message += "ü";
  auto decoded = decode_failure(encode(report));
  ASSERT_TRUE(decoded);
  const std::string& text = decoded->message;
  EXPECT_TRUE(text.ends_with("ü...")) << text.substr(text.size() - 8);
}

TEST(WireFailure, is_refused_if_anything_is_wrong_with_it) {
  const std::vector<std::byte> bytes = encode(full_report());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto decoded = decode_failure(cut);
    if (!decoded) {
      EXPECT_EQ(decoded.fault().kind, Fault::Kind::violation);
    }
  }
  EXPECT_FALSE(decode_failure({}));
  EXPECT_FALSE(decode_failure(std::vector<std::byte>(100)));
  EXPECT_FALSE(decode_failure(std::vector<std::byte>(weft::wire::kFailureBytesMax + 1)));

  FailureReport nameless;
  nameless.kind = FailureReport::Kind::exception;
  EXPECT_FALSE(decode_failure(encode(nameless))) << "an exception without a name";
  FailureReport unheard_of = full_report();
  unheard_of.kind = static_cast<FailureReport::Kind>(99);
  EXPECT_FALSE(decode_failure(encode(unheard_of)));
}

}  // namespace
