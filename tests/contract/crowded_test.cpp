// More to do than there are cores: workers are left asleep then, but never anybody waiting for ever.

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>
#include <weft/shared.hpp>
#include <weft/weft.hpp>

#include "contract/kinds.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

std::uint64_t burn(std::uint64_t passes) {
  std::uint64_t x = passes | 1;
  for (std::uint64_t i = 0; i < passes; ++i) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return x;
}
void meet(shared::Barrier barrier) { barrier.arrive_and_wait(); }
bool compute_until_stopped(TaskScope& scope) {
  const auto stop = scope.stop_token();
  while (!stop.stop_requested()) burn(1000);
  return true;
}
int answer() { return 42; }
std::size_t length(std::string text) { return text.size(); }

class Crowded : public testing::TestWithParam<WorkerKind> {
 protected:
  Crowded() : workers{std::thread::hardware_concurrency() + 6}, pool{pool_of(GetParam(), workers)} {}
  /// Short tasks, hundreds at a time, for long enough that the pool knows how much of the cores they use.
  void fill_cores() {
    std::vector<Execution<std::uint64_t>> flying(1024);
    for (auto& each : flying) each = pool.submit<burn>(500);
    const auto end = std::chrono::steady_clock::now() + 150ms;
    for (std::size_t i = 0; std::chrono::steady_clock::now() < end; ++i) {
      auto& oldest = flying[i % flying.size()];
      ASSERT_EQ(oldest.get(), burn(500));
      oldest = pool.submit<burn>(500);
    }
    for (auto& each : flying) each.get();
  }

  std::size_t workers;
  Pool pool;
};

TEST_P(Crowded, all_workers_get_tasks_that_wait_for_each_other) {
  fill_cores();
  for (int round = 0; round < 5; ++round) {
    shared::Barrier barrier{workers};
    std::vector<Execution<void>> met;
    for (std::size_t i = 0; i < workers; ++i) met.push_back(pool.submit<meet>(barrier));
    for (auto& each : met) each.get();
  }
}

TEST_P(Crowded, a_short_task_does_not_wait_for_long_ones_to_end) {
  fill_cores();
  std::vector<Execution<bool>> endless;
  for (std::size_t i = 0; i + 1 < workers; ++i) endless.push_back(pool.submit<compute_until_stopped>());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(pool.submit<answer>().get(), 42);
  for (auto& each : endless) each.cancel();
  for (auto& each : endless) {
    try {
      EXPECT_TRUE(each.get());
    } catch (const Cancelled&) {  // it had not begun
    }
  }
}

TEST_P(Crowded, what_is_submitted_between_long_tasks_is_done_while_nobody_waits) {
  fill_cores();
  auto endless = pool.submit<compute_until_stopped>();
  std::vector<Execution<int>> many;
  for (int i = 0; i < 3000; ++i) many.push_back(pool.submit<answer>());
  // Not by waiting for them: a thread that waits looks after the pool.
  while (pool.status().queued != 0 || pool.status().running > 1) std::this_thread::sleep_for(1ms);
  endless.cancel();
  for (auto& each : many) EXPECT_EQ(each.get(), 42);
}

TEST_P(Crowded, what_fills_a_ring_behind_a_long_task_does_not_hold_up_the_rest) {
  fill_cores();
  auto endless = pool.submit<compute_until_stopped>();
  std::vector<Execution<std::size_t>> many;
  // Some sixty of them fill a ring.
  for (int i = 0; i < 1000; ++i) many.push_back(pool.submit<length>(std::string(1000, 'x')));
  while (pool.status().queued != 0 || pool.status().running > 1) std::this_thread::sleep_for(1ms);
  endless.cancel();
  for (auto& each : many) EXPECT_EQ(each.get(), 1000U);
}

INSTANTIATE_TEST_SUITE_P(Workers, Crowded, testing::ValuesIn(kKindsBeside), kKindNamed);

}  // namespace
}  // namespace weft::contract
