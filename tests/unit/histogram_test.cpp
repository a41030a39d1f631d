#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <weft/histogram.hpp>

namespace weft {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, of_nothing_says_nothing) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0U);
  EXPECT_EQ(empty.mean(), 0ns);
  EXPECT_EQ(empty.max(), 0ns);
  EXPECT_EQ(empty.percentile(50), 0ns);
}

TEST(Histogram, knows_small_durations_exactly) {
  Histogram histogram;
  for (int ns = 1; ns <= 10; ++ns) histogram.record(std::chrono::nanoseconds{ns});
  EXPECT_EQ(histogram.count(), 10U);
  EXPECT_EQ(histogram.percentile(0), 1ns);
  EXPECT_EQ(histogram.percentile(50), 5ns);
  EXPECT_EQ(histogram.percentile(100), 10ns);
  EXPECT_EQ(histogram.max(), 10ns);
  EXPECT_EQ(histogram.mean(), 6ns) << "5.5, rounded";
}

TEST(Histogram, is_never_too_low_and_at_most_a_sixteenth_too_high) {
  for (std::uint64_t ns = 1; ns < std::uint64_t{1} << 62; ns = ns + ns / 3 + 1) {
    Histogram histogram;
    histogram.record(std::chrono::nanoseconds{ns});
    histogram.record(std::chrono::nanoseconds::max());  // else the maximum would correct it
    const auto told = static_cast<std::uint64_t>(histogram.percentile(50).count());
    EXPECT_GE(told, ns);
    EXPECT_LE(told - ns, ns / 16) << ns;
  }
}

TEST(Histogram, takes_what_is_out_of_range) {
  Histogram histogram;
  histogram.record(-5ns);
  histogram.record(std::chrono::nanoseconds::max());
  EXPECT_EQ(histogram.percentile(-3), 0ns);
  EXPECT_EQ(histogram.percentile(300), std::chrono::nanoseconds::max());
}

}  // namespace
}  // namespace weft
