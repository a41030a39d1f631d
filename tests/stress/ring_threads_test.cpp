// The protocols between two threads, under ThreadSanitizer where one mapping serves both, and over twin mappings (the
// writer's read-write, the reader's read-only, of the same memory) as between processes.

#include <gtest/gtest.h>

#include <thread>

#include "stress/lane_pair.hpp"

namespace weft::stress {
namespace {

void exchange(Mapping mapping, std::uint64_t tasks) {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const Lane parent_lane{mapping};
    const Lane worker_lane{mapping};
    std::uint64_t ran = 0;
    std::jthread worker{[&] {
      Party party{worker_lane, parent_lane};
      ran = work(party);
    }};
    Party party{parent_lane, worker_lane};
    const Tally tally = drive(party, tasks, seed);
    worker.join();
    EXPECT_EQ(tally.ran, ran);
    EXPECT_EQ(tally.ran + tally.returned, tasks);
    EXPECT_LE(tally.taken, tally.returned);
  }
}

TEST(RingThreads, exchange_tasks_and_answers_without_a_race) { exchange(Mapping::one, 20'000); }

TEST(RingThreads, exchange_tasks_and_answers_over_twin_mappings) { exchange(Mapping::twin, 20'000); }

}  // namespace
}  // namespace weft::stress
