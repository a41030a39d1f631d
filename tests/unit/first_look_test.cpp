#include "base/first_look.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace weft::base {
namespace {

/// Which look finds what comes after `arrival` turns, if the second look comes 60 turns after the first and so on.
int look_for(std::uint32_t arrival, const FirstLook& first) {
  return first.turns() >= arrival ? 0 : static_cast<int>((arrival - first.turns() + 59) / 60);
}

TEST(FirstLook, settles_where_most_answers_have_just_come) {
  FirstLook first;
  for (int i = 0; i < 1000; ++i) first.found_by(look_for(100, first));
  int at_once = 0;
  for (int i = 0; i < 900; ++i) {
    const int look = look_for(100, first);
    at_once += look == 0 ? 1 : 0;
    first.found_by(look);
    EXPECT_GE(first.turns(), 95U);
    EXPECT_LE(first.turns(), 110U);
  }
  EXPECT_NEAR(at_once, 800, 20);
}

TEST(FirstLook, forgets_what_it_waited_for_where_answers_are_there_already) {
  FirstLook first;
  for (int i = 0; i < 20; ++i) first.found_by(1);
  EXPECT_GT(first.turns(), 0U);
  for (int i = 0; i < 200; ++i) first.found_by(0);
  EXPECT_EQ(first.turns(), 0U);
}

TEST(FirstLook, learns_nothing_from_answers_that_come_late) {
  FirstLook first;
  for (int i = 0; i < 20; ++i) first.found_by(1);
  const std::uint32_t before = first.turns();
  for (int i = 0; i < 1000; ++i) first.found_by(30);
  EXPECT_EQ(first.turns(), before);
}

TEST(FirstLook, never_waits_long) {
  FirstLook first;
  for (int i = 0; i < 1000; ++i) first.found_by(1);
  EXPECT_LE(first.turns(), FirstLook::kTurnsMax);
  first.wait();
}

}  // namespace
}  // namespace weft::base
