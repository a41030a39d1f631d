// Which time limit it was that passed, and how many tasks it was for.

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"
#include "contract/kinds.hpp"

using namespace std::chrono_literals;
using weft::TimeLimit;
using weft::contract::kAllKinds;
using weft::contract::kKindNamed;

namespace {

int identity(int number) { return number; }
void forever() {
  for (;;) std::this_thread::sleep_for(1s);
}
void until_told_to_stop(weft::TaskScope& scope) {
  scope.progress(1);
  for (;;) scope.throw_if_stop_requested();
}
void fails_when_told_to_stop(weft::TaskScope& scope) {
  while (!scope.stop_token().stop_requested()) std::this_thread::yield();
  throw std::out_of_range{"of its own"};
}
int returns_when_told_to_stop(weft::TaskScope& scope) {
  while (!scope.stop_token().stop_requested()) std::this_thread::yield();
  return 3;
}
void throws_late(weft::TimeLimit limit) { throw weft::TimedOut{"by itself", {}, limit}; }

template <class R>
TimeLimit limit_of(weft::Execution<R> execution) {
  try {
    execution.get();
  } catch (const weft::TimedOut& error) {
    return error.limit();
  }
  ADD_FAILURE() << "it was in time";
  return TimeLimit::wait;
}
weft::Deadline soon() { return std::chrono::steady_clock::now() + 30ms; }

TEST(TimedOut, tells_which_limit_it_was) {
  weft::Pool pool{{.limit = 1}};
  EXPECT_EQ(limit_of(pool.with({.run_limit = 30ms}).submit<forever>()), TimeLimit::run);
  EXPECT_EQ(limit_of(pool.with({.stop_after = 30ms}).submit<until_told_to_stop>()), TimeLimit::run);
  EXPECT_EQ(limit_of(pool.with({.deadline = soon()}).submit<until_told_to_stop>()), TimeLimit::deadline);
  const weft::contract::Gate gate;
  auto before = pool.submit<weft::contract::behind>(gate.path(), 1);
  EXPECT_EQ(limit_of(pool.with({.start_within = 30ms}).submit<identity>(1)), TimeLimit::queue);
  EXPECT_EQ(limit_of(pool.with({.deadline = soon()}).submit<identity>(1)), TimeLimit::deadline);
  gate.open();
  EXPECT_EQ(before.get(), 1);
  const weft::PoolStatus status = pool.status();
  EXPECT_EQ(status.timed_out, 5U);
  EXPECT_EQ(status.failed, 0U);
  EXPECT_EQ(status.finished, 1U);
}

TEST(TimedOut, of_a_tasks_own_keeps_its_limit_and_is_a_failure) {
  weft::Pool pool{{.limit = 1}};
  for (const TimeLimit limit : {TimeLimit::wait, TimeLimit::queue, TimeLimit::run, TimeLimit::deadline})
    EXPECT_EQ(limit_of(pool.submit<throws_late>(limit)), limit);
  EXPECT_EQ(pool.status().failed, 4U);
  EXPECT_EQ(pool.status().timed_out, 0U) << "the submitter's limits did not pass";
}

TEST(TimedOut, is_no_name_for_other_ends_of_a_task_that_is_late) {
  weft::Pool pool{{.limit = 1}};
  EXPECT_THROW(pool.with({.stop_after = 30ms}).submit<fails_when_told_to_stop>().get(), std::out_of_range);
  EXPECT_EQ(pool.with({.stop_after = 30ms}).submit<returns_when_told_to_stop>().get(), 3);
  const weft::PoolStatus status = pool.status();
  EXPECT_EQ(status.finished, 1U);
  EXPECT_EQ(status.failed, 1U);
  EXPECT_EQ(status.timed_out, 0U);
}

TEST(TimedOut, is_not_what_a_task_ended_with_that_was_cancelled_in_time) {
  weft::Pool pool{{.limit = 1}};
  pool.submit<identity>(1).get();
  const auto deadline = std::chrono::steady_clock::now() + 1s;
  auto execution = pool.with({.deadline = deadline}).submit<until_told_to_stop>();
  weft::contract::until_begun(execution);
  execution.cancel("not needed");
  execution.wait();
  std::this_thread::sleep_until(deadline);
  EXPECT_THROW(execution.get(), weft::Cancelled) << "whenever it is asked for";
}

class TimedOutCount : public testing::TestWithParam<weft::WorkerKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, TimedOutCount, testing::ValuesIn(kAllKinds), kKindNamed);

TEST_P(TimedOutCount, is_kept_by_every_kind) {
  weft::Pool pool{{.limit = 1, .worker = {.kind = GetParam()}}};
  EXPECT_EQ(limit_of(pool.with({.deadline = soon()}).submit<until_told_to_stop>()), TimeLimit::deadline);
  EXPECT_EQ(limit_of(pool.with({.stop_after = 30ms}).submit<until_told_to_stop>()), TimeLimit::run);
  EXPECT_EQ(pool.status().timed_out, 2U);
  EXPECT_EQ(pool.status().failed, 0U);
}

}  // namespace
