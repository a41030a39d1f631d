// The protocols between two processes.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "stress/lane_pair.hpp"

namespace weft::stress {
namespace {

TEST(RingProcesses, exchange_tasks_and_answers) {
  constexpr std::uint64_t kTasks = 50'000;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const Lane parent_lane{Mapping::twin};
    const Lane worker_lane{Mapping::twin};
    const pid_t worker = ::fork();
    ASSERT_GE(worker, 0);
    if (worker == 0) {
      Party party{worker_lane, parent_lane};
      ::_exit(work(party) > 0 ? 0 : 1);
    }
    Party party{parent_lane, worker_lane};
    const Tally tally = drive(party, kTasks, seed);
    int status = -1;
    ASSERT_EQ(::waitpid(worker, &status, 0), worker);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_EQ(tally.ran + tally.returned, kTasks);
    EXPECT_LE(tally.taken, tally.returned);
  }
}

}  // namespace
}  // namespace weft::stress
