#include "doorbell/doorbell.hpp"

#include <gtest/gtest.h>

#include <set>

namespace weft::doorbell {
namespace {

struct Bell {
  base::Atomic<std::uint64_t> word{0};
  Sleeper sleeper{&word};
  Ringer ringer{&word};
};

TEST(Doorbell, begins_awake_and_needs_no_ring) {
  Bell bell;
  EXPECT_EQ(bell.ringer.published().mode(), Mode::awake);
}

TEST(Doorbell, tells_the_mode_and_the_bell_that_were_armed) {
  Bell bell;
  for (const Mode mode : {Mode::lazy, Mode::urgent, Mode::patient}) {
    for (const unsigned which : {0U, 1U}) {
      bell.sleeper.arm(mode, which);
      EXPECT_EQ(bell.ringer.published().mode(), mode);
      EXPECT_EQ(bell.ringer.published().bell(), which);
      EXPECT_EQ(bell.ringer.look().sleeps(), mode != Mode::lazy);
      EXPECT_EQ(bell.ringer.look().can_wait(), mode != Mode::urgent);
    }
  }
  bell.sleeper.disarm(Mode::lazy, 1);
  EXPECT_EQ(bell.ringer.look().mode(), Mode::lazy);
  EXPECT_EQ(bell.ringer.look().bell(), 1U);
  bell.sleeper.disarm();
  EXPECT_EQ(bell.ringer.look().mode(), Mode::awake);
}

TEST(Doorbell, is_rung_once_an_epoch) {
  Bell bell;
  for (int i = 0; i < 3; ++i) {
    bell.sleeper.arm(Mode::urgent);
    const Word word = bell.ringer.published();
    EXPECT_TRUE(bell.ringer.take(word));
    EXPECT_FALSE(bell.ringer.take(word));
    EXPECT_FALSE(bell.ringer.take(bell.ringer.published()));
    bell.sleeper.disarm();
  }
}

TEST(Doorbell, has_a_new_epoch_with_every_change) {
  Bell bell;
  std::set<std::uint64_t> epochs{bell.ringer.look().epoch()};
  for (int i = 0; i < 10; ++i) {
    bell.sleeper.arm(i % 2 == 0 ? Mode::lazy : Mode::urgent, static_cast<unsigned>(i) % 2);
    EXPECT_TRUE(epochs.insert(bell.ringer.look().epoch()).second);
    bell.sleeper.disarm();
    EXPECT_TRUE(epochs.insert(bell.ringer.look().epoch()).second);
  }
}

TEST(Doorbell, lets_each_ringer_ring_by_itself) {
  Bell bell;
  Ringer other{&bell.word};
  bell.sleeper.arm(Mode::urgent);
  EXPECT_TRUE(bell.ringer.take(bell.ringer.published()));
  EXPECT_TRUE(other.take(other.published()));
}

// Whatever a hostile peer writes there is a mode, a bell and an epoch.
TEST(Doorbell, makes_something_of_any_word) {
  for (const std::uint64_t bits : {~std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{1} << 63}) {
    EXPECT_LE(Word{bits}.bell(), 1U);
    EXPECT_EQ(Word{bits}.epoch(), bits >> 3);
  }
}

}  // namespace
}  // namespace weft::doorbell
