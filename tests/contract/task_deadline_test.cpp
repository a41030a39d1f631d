// What a task waits for in channels has no more time than the task.

#include <gtest/gtest.h>

#include <boost/fiber/fiber.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/kinds.hpp"

using namespace std::chrono_literals;
using weft::contract::kAllKinds;
using weft::contract::kKindNamed;
using weft::contract::kKindsBeside;

namespace {

using Numbers = std::pair<weft::Channel<int, int>, weft::Channel<int, int>>;

/// What came of a wait.
std::string outcome(const std::function<bool()>& wait) {
  try {
    return wait() ? "came" : "not in time";
  } catch (const weft::TimedOut& error) {
    return error.limit() == weft::TimeLimit::deadline ? "deadline" : "another limit";
  }
}

/// All that may wait at a channel of this process, with and without time of its own.
std::vector<std::string> waits_of_each_kind() {
  Numbers ends = weft::channel_pair<int, int>(1);
  auto& [full, empty] = ends;
  full.send(1);
  const auto receive = [&end = full] { return end.receive() != 0; };
  std::vector<std::string> all{outcome(receive)};
  all.push_back(outcome([&] { return full.send(2), true; }));
  all.push_back(outcome([&] { return full.send_for(1h, 2); }));
  all.push_back(outcome([&] { return full.receive_for(1h).has_value(); }));
  all.push_back(outcome([&] { return weft::select(full, weft::after(1h)) == 0; }));
  all.push_back(outcome([&] { return full.receive_for(0ms).has_value(); }));
  all.push_back(outcome([&] { return full.try_receive().has_value(); }));
  all.push_back(outcome([&] { return full.try_send(2); }));
  all.push_back(outcome([&] { return empty.receive() == 1; }));  // need not wait
  all.push_back(outcome([&] { return full.send(2), true; }));
  return all;
}

/// Whose only worker is there, so that a task begins long before this is over.
constexpr auto kSoon = 500ms;

class TaskDeadline : public testing::TestWithParam<weft::WorkerKind> {
 protected:
  TaskDeadline() {
    pool.submit([] {}).get();
  }
  weft::Pool pool{{.limit = 1, .worker = {.kind = GetParam()}}};
};
INSTANTIATE_TEST_SUITE_P(Kinds, TaskDeadline, testing::ValuesIn(kAllKinds), kKindNamed);

TEST_P(TaskDeadline, ends_what_waits_at_a_channel_of_its_process) {
  const auto deadline = std::chrono::steady_clock::now() + kSoon;
  EXPECT_EQ(pool.with({.deadline = deadline}).submit<waits_of_each_kind>().get(),
            (std::vector<std::string>{"deadline", "deadline", "deadline", "deadline", "deadline", "deadline",
                                      "not in time", "not in time", "came", "came"}));
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
}

std::string waits_shorter() {
  Numbers ends = weft::channel_pair<int, int>(1);
  return outcome([&] { return ends.first.receive_for(1ms).has_value(); });
}
TEST_P(TaskDeadline, leaves_a_wait_alone_that_ends_sooner) {
  EXPECT_EQ(pool.with({.deadline = std::chrono::steady_clock::now() + 1h}).submit<waits_shorter>().get(),
            "not in time");
}

/// Of threads and fibers that the task starts, it does not hold.
std::string waits_elsewhere(bool in_fiber) {
  std::string found;
  const auto wait = [&] {
    Numbers ends = weft::channel_pair<int, int>(1);
    found = outcome([&] { return ends.first.receive_for(2 * kSoon).has_value(); });
  };
  if (in_fiber) {
    boost::fibers::fiber{wait}.join();
  } else {
    std::thread{wait}.join();
  }
  return found;
}
TEST_P(TaskDeadline, is_the_tasks_own_fibers) {
  for (const bool in_fiber : {false, true}) {
    EXPECT_EQ(pool.with({.deadline = std::chrono::steady_clock::now() + kSoon})
                  .submit<waits_elsewhere>(in_fiber)
                  .get(),
              "not in time");
  }
}

class TaskDeadlineBeside : public TaskDeadline {};
INSTANTIATE_TEST_SUITE_P(Kinds, TaskDeadlineBeside, testing::ValuesIn(kKindsBeside), kKindNamed);

/// Tells its submitter that it has begun, and what its first wait came to; then what comes after all.
std::vector<std::string> waits_for_submitter(weft::TaskScope& scope) {
  auto parent = scope.channel<int, int>();
  parent.send(1);
  std::vector<std::string> all{outcome([&] { return parent.receive() != 0; })};
  all.push_back(outcome([&]() -> bool {
    for (;;) parent.send(2);  // more than there is room for
  }));
  all.push_back(scope.stop_token().stop_requested() ? "asked to stop" : "not asked");
  std::optional<int> late;
  while (!late) {
    weft::sleep_for(1ms);
    late = parent.try_receive();
  }
  all.push_back(std::to_string(*late));
  return all;
}

TEST_P(TaskDeadlineBeside, ends_what_waits_for_the_submitter_and_loses_nothing) {
  const auto deadline = std::chrono::steady_clock::now() + kSoon;
  auto execution = pool.with({.deadline = deadline}).submit<waits_for_submitter>();
  auto channel = execution.channel<int, int>();
  EXPECT_EQ(channel.receive(), 1);
  EXPECT_EQ(channel.receive(), 2) << "the task's wait is over";
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
  channel.send(77);
  EXPECT_EQ(execution.get(), (std::vector<std::string>{"deadline", "deadline", "asked to stop", "77"}));
}

/// Has a task of its own, which says nothing; its end would close the channel, so it is told when to.
std::string waits_for_own_task() {
  weft::Pool own{{.limit = 1, .worker = {.kind = weft::WorkerKind::thread}}};
  auto silent = own.submit([](weft::TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    auto end = scope.channel<int, int>("end");
    const std::string there = outcome([&] { return parent.receive() != 0; });
    while (!end.try_receive()) weft::sleep_for(1ms);
    return there;
  });
  auto channel = silent.channel<int, int>();
  auto end = silent.channel<int, int>("end");
  const std::string here = outcome([&] { return channel.receive() != 0; });
  end.send(1);
  return here + ", " + silent.get();
}
TEST_P(TaskDeadlineBeside, ends_what_waits_for_a_task_of_the_tasks) {
  EXPECT_EQ(
      pool.with({.deadline = std::chrono::steady_clock::now() + kSoon}).submit<waits_for_own_task>().get(),
      "deadline, deadline");
}

void waits_for_ever() {
  Numbers ends = weft::channel_pair<int, int>(1);
  ends.first.receive();
}
TEST_P(TaskDeadlineBeside, is_told_of_by_a_task_that_lets_it_out) {
  auto execution = pool.with({.deadline = std::chrono::steady_clock::now() + kSoon}).submit<waits_for_ever>();
  try {
    execution.get();
    FAIL() << "it waited for ever";
  } catch (const weft::TimedOut& error) {
    EXPECT_EQ(error.limit(), weft::TimeLimit::deadline);
    EXPECT_TRUE(error.verdict().may_have_run);
    EXPECT_NE(std::string{error.what()}.find("TaskOptions::deadline"), std::string::npos) << error.what();
  }
  const weft::PoolStatus status = pool.status();
  EXPECT_EQ(status.timed_out, 1U);
  EXPECT_EQ(status.failed, 0U);
}

}  // namespace
