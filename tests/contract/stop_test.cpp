// Tasks that are asked to stop: by cancel(), and by their deadlines.

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"
#include "contract/kinds.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

int until_stopped(TaskScope& scope) {
  scope.progress(1);
  const std::stop_token stop = scope.stop_token();
  while (!stop.stop_requested()) std::this_thread::yield();
  return 42;
}
int until_thrown_out(TaskScope& scope) {
  scope.progress(1);
  for (;;) scope.throw_if_stop_requested();
}
int until_called_back(TaskScope& scope) {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool called = false;
  const std::stop_callback callback{scope.stop_token(), [&] {
                                      const std::lock_guard guard{mutex};
                                      called = true;
                                      changed.notify_all();
                                    }};
  std::unique_lock lock{mutex};
  scope.progress(1);
  changed.wait(lock, [&] { return called; });
  return 7;
}
int late_question(TaskScope& scope, int ms) {
  scope.progress(1);
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
  return scope.stop_token().stop_requested() ? 1 : 0;
}
int heedless(TaskScope& scope, int ms) {
  scope.progress(1);
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
  return 5;
}

std::string with_number(int number, const std::string& text) { return std::to_string(number) + text; }

class Stop : public testing::TestWithParam<WorkerKind> {
 protected:
  static PoolOptions options(std::size_t limit = 1) { return pool_of(GetParam(), limit); }
};
using Cancelling = Stop;

// A task that is withdrawn too late to know comes back from the worker's door after its frame's lines were written anew.
TEST_P(Cancelling, at_the_very_moment_of_the_beginning_loses_nobodys_arguments) {
  Pool pool{options(2)};
  std::size_t cancelled = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<Execution<std::string>> executions;
    for (int i = 0; i < 64; ++i) {
      executions.push_back(pool.submit<with_number>(i, std::string(static_cast<std::size_t>(i), 'x')));
      // The one that has just been sent is just being found.
      if (i % 3 == 0) static_cast<void>(executions.back().cancel());
    }
    for (int i = 0; i < 64; ++i) {
      try {
        EXPECT_EQ(executions[static_cast<std::size_t>(i)].get(),
                  with_number(i, std::string(static_cast<std::size_t>(i), 'x')));
      } catch (const Cancelled&) {
        ++cancelled;
        EXPECT_EQ(i % 3, 0);
      }
    }
  }
  EXPECT_NE(cancelled, 0U);
}

TEST_P(Stop, is_requested_of_a_task_that_runs) {
  Pool pool{options()};
  auto execution = pool.submit<until_stopped>();
  until_begun(execution);
  EXPECT_FALSE(execution.cancel("enough"));
  EXPECT_EQ(execution.get(), 42) << "what it returns is its value";
  EXPECT_FALSE(execution.cancel("again")) << "it is done";
}

TEST_P(Stop, that_is_heeded_by_throwing_gives_the_callers_reason) {
  Pool pool{options()};
  auto execution = pool.submit<until_thrown_out>();
  until_begun(execution);
  EXPECT_FALSE(execution.cancel("nobody wants it any more"));
  try {
    execution.get();
    FAIL() << "a cancelled task gave a value";
  } catch (const Cancelled& error) {
    EXPECT_STREQ(error.what(), "the task was cancelled: nobody wants it any more");
    EXPECT_TRUE(error.verdict().may_have_run);
  }
}

TEST_P(Stop, calls_the_callbacks_of_its_token) {
  Pool pool{options()};
  auto execution = pool.submit<until_called_back>();
  until_begun(execution);
  execution.cancel();
  EXPECT_EQ(execution.get(), 7);
}

TEST_P(Stop, is_seen_by_a_task_that_asks_for_its_token_later) {
  Pool pool{options()};
  auto execution = pool.submit<late_question>(300);
  until_begun(execution);
  execution.cancel();
  EXPECT_EQ(execution.get(), 1);
  EXPECT_EQ(pool.submit<late_question>(0).get(), 0) << "the next task in its slot is not meant";
}

TEST_P(Stop, does_nothing_to_a_task_that_does_not_look) {
  Pool pool{options()};
  auto execution = pool.submit<heedless>(300);
  until_begun(execution);
  EXPECT_FALSE(execution.cancel("in vain"));
  EXPECT_EQ(execution.get(), 5);
}

TEST_P(Stop, of_more_tasks_than_the_log_holds_loses_none) {
  Pool pool{options()};
  EXPECT_EQ(pool.submit<late_question>(0).get(), 0);
  for (int round = 0; round < 200; ++round) {
    auto execution = pool.submit<until_stopped>();
    while (execution.cancel()) execution = pool.submit<until_stopped>();
    try {
      EXPECT_EQ(execution.get(), 42);
    } catch (const Cancelled& error) {
      EXPECT_FALSE(error.verdict().may_have_run) << "it came back from the worker's door";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Stop, testing::ValuesIn(kKindsBeside), kKindNamed);
INSTANTIATE_TEST_SUITE_P(Of, Cancelling, testing::ValuesIn(kKindsBeside), kKindNamed);

}  // namespace
}  // namespace weft::contract
