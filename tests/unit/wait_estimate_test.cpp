#include "base/wait_estimate.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace weft::base {
namespace {

WaitEstimate after(int waits, std::uint64_t ns, std::uint64_t spread) {
  WaitEstimate estimate;
  for (int i = 0; i < waits; ++i) estimate.took(i % 2 == 0 ? ns - spread : ns + spread);
  return estimate;
}

TEST(WaitEstimate, wakes_a_little_before_a_wait_of_known_length_ends) {
  const WaitEstimate estimate = after(100, 300'000, 2'000);
  EXPECT_GT(estimate.wake_ns(), 180'000U);
  EXPECT_LT(estimate.wake_ns(), 205'000U);
  EXPECT_GT(estimate.give_up_ns(), 302'000U);
  EXPECT_LT(estimate.give_up_ns(), 340'000U);
}

TEST(WaitEstimate, says_nothing_before_it_has_seen_some) {
  EXPECT_EQ(WaitEstimate{}.wake_ns(), 0U);
  EXPECT_EQ(after(3, 300'000, 0).wake_ns(), 0U);
}

TEST(WaitEstimate, says_nothing_of_short_waits) { EXPECT_EQ(after(100, 140'000, 0).wake_ns(), 0U); }

TEST(WaitEstimate, says_nothing_where_waits_differ) { EXPECT_EQ(after(100, 700'000, 150'000).wake_ns(), 0U); }

TEST(WaitEstimate, is_not_misled_by_a_single_one) {
  WaitEstimate estimate = after(100, 300'000, 2'000);
  estimate.took(10'000'000);
  EXPECT_GT(estimate.wake_ns(), 170'000U);
  EXPECT_LT(estimate.wake_ns(), 205'000U);
}

TEST(WaitEstimate, says_nothing_while_it_changes_its_mind) {
  WaitEstimate estimate = after(100, 300'000, 2'000);
  int silent = 0;
  for (int i = 0; i < 100; ++i) {
    estimate.took(10'000'000);
    silent += estimate.wake_ns() == 0 ? 1 : 0;
  }
  EXPECT_GT(silent, 10);
  EXPECT_LT(silent, 90);
}

TEST(WaitEstimate, follows_waits_that_become_longer) {
  WaitEstimate estimate = after(100, 300'000, 0);
  for (int i = 0; i < 100; ++i) estimate.took(700'000);
  EXPECT_GT(estimate.wake_ns(), 580'000U);
  EXPECT_LT(estimate.wake_ns(), 605'000U);
}

}  // namespace
}  // namespace weft::base
