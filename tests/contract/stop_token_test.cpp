// The standard's stop tokens: what they cancel, what they are made of, and who else waits for them.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"
#include "contract/kinds.hpp"
#include "contract/marks.hpp"
#include "crash/scratch.hpp"

using namespace std::chrono_literals;
using weft::contract::behind;
using weft::contract::kAllKinds;
using weft::contract::kKindNamed;
using weft::contract::kKindsBeside;

namespace {

int identity(int number) { return number; }
int until_stopped(weft::TaskScope& scope) {
  while (!scope.stop_token().stop_requested()) std::this_thread::yield();
  return 42;
}
int marked_until_stopped(weft::TaskScope& scope, const std::string& file) {
  append(file, 'x');
  return until_stopped(scope);
}
void until_thrown_out(weft::TaskScope& scope) {
  scope.progress(1);
  for (;;) scope.throw_if_stop_requested();
}

void expect_cancelled_before_it_began(weft::Execution<int>& execution) {
  try {
    execution.get();
    ADD_FAILURE() << "it ran";
  } catch (const weft::Cancelled& error) {
    EXPECT_FALSE(error.verdict().may_have_run);
    EXPECT_NE(std::string{error.what()}.find("TaskOptions::stop"), std::string::npos) << error.what();
  }
}

class StopTokenOfAll : public testing::TestWithParam<weft::WorkerKind> {
 protected:
  weft::Pool pool{{.limit = 1, .worker = {.kind = GetParam()}}};
};
INSTANTIATE_TEST_SUITE_P(Kinds, StopTokenOfAll, testing::ValuesIn(kAllKinds), kKindNamed);

TEST_P(StopTokenOfAll, that_was_requested_before_sends_nothing) {
  std::stop_source stop;
  stop.request_stop();
  auto execution = pool.with({.stop = stop.get_token()}).submit<identity>(1);
  EXPECT_TRUE(execution.ready());
  expect_cancelled_before_it_began(execution);
  EXPECT_TRUE(pool.status().pids.empty()) << "no worker was wanted";
  EXPECT_EQ(pool.submit<identity>(2).get(), 2);
}

TEST_P(StopTokenOfAll, asks_what_runs_to_stop) {
  const weft::crash::Scratch scratch;
  std::stop_source stop;
  std::jthread later{[&] {
    until_exists(scratch.file("begun"));
    stop.request_stop();
  }};
  auto heeded = pool.with({.stop = stop.get_token()}).submit<marked_until_stopped>(scratch.file("begun"));
  EXPECT_EQ(heeded.get(), 42) << "what it returns is its value";
}

TEST_P(StopTokenOfAll, that_is_never_requested_does_nothing) {
  std::stop_source stop;
  EXPECT_EQ(pool.with({.stop = stop.get_token()}).submit<identity>(1).get(), 1);
  EXPECT_EQ(pool.with({.stop = std::stop_token{}}).submit<identity>(2).get(), 2);
  stop.request_stop();
  EXPECT_EQ(pool.status().finished, 2U) << "they had settled";
}

class StopToken : public StopTokenOfAll {};
INSTANTIATE_TEST_SUITE_P(Kinds, StopToken, testing::ValuesIn(kKindsBeside), kKindNamed);

TEST_P(StopToken, takes_back_what_has_not_begun_and_nothing_else) {
  const weft::contract::Gate gate;
  std::stop_source stop;
  auto first = pool.submit<behind>(gate.path(), 1);
  while (pool.status().running == 0) std::this_thread::yield();
  std::vector<weft::Execution<int>> meant;
  std::vector<weft::Execution<int>> others;
  for (int i = 0; i < 100; ++i) {
    meant.push_back(pool.with({.stop = stop.get_token()}).submit<identity>(i));
    others.push_back(pool.submit<identity>(i));
  }
  stop.request_stop();
  for (auto& each : meant) {
    EXPECT_TRUE(each.ready()) << "when request_stop() returns, that is done";
    expect_cancelled_before_it_began(each);
  }
  gate.open();
  EXPECT_EQ(first.get(), 1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].get(), i);
}

TEST_P(StopToken, that_is_heeded_by_throwing_gives_cancelled) {
  std::stop_source stop;
  auto execution = pool.with({.stop = stop.get_token()}).submit<until_thrown_out>();
  weft::contract::until_begun(execution);
  stop.request_stop();
  try {
    execution.get();
    FAIL() << "it gave a value";
  } catch (const weft::Cancelled& error) {
    EXPECT_STREQ(error.what(), "the task was cancelled: a stop was requested (TaskOptions::stop)");
    EXPECT_TRUE(error.verdict().may_have_run);
  }
}

TEST_P(StopToken, of_a_lease_holds_for_its_tasks) {
  std::stop_source stop;
  weft::Lease lease = pool.lease();
  const weft::crash::Scratch scratch;
  auto running = lease.with({.stop = stop.get_token()}).submit<marked_until_stopped>(scratch.file("begun"));
  until_exists(scratch.file("begun"));
  auto waiting = lease.with({.stop = stop.get_token()}).submit<identity>(1);
  stop.request_stop();
  EXPECT_EQ(running.get(), 42);
  EXPECT_THROW(waiting.get(), weft::Cancelled);
}

TEST_P(StopToken, outlives_the_pool_and_executions_that_nobody_has) {
  std::stop_source stop;
  {
    weft::Pool gone{{.limit = 1, .worker = {.kind = GetParam()}}};
    static_cast<void>(gone.with({.stop = stop.get_token()}).submit<identity>(1));
    gone.shutdown();
  }
  const weft::contract::Gate gate;
  auto first = pool.submit<behind>(gate.path(), 1);
  for (int i = 0; i < 10; ++i) static_cast<void>(pool.with({.stop = stop.get_token()}).submit<identity>(i));
  stop.request_stop();
  gate.open();
  EXPECT_EQ(first.get(), 1);
  pool.wait_idle();
  EXPECT_EQ(pool.status().finished, 1U);
}

/// Requested by one thread while others submit and wait.
TEST_P(StopToken, races_with_all_that_settles_tasks) {
  for (int round = 0; round < 50; ++round) {
    std::stop_source stop;
    std::vector<weft::Execution<int>> all;
    std::atomic<bool> begun{false};
    std::jthread requests{[&] {
      while (!begun) std::this_thread::yield();
      stop.request_stop();
    }};
    for (int i = 0; i < 200; ++i) {
      all.push_back(pool.with({.stop = stop.get_token()}).submit<identity>(i));
      if (i == round) begun = true;
    }
    for (int i = 0; i < 200; ++i) {
      try {
        EXPECT_EQ(all[static_cast<std::size_t>(i)].get(), i);
      } catch (const weft::Cancelled&) {  // in time
      }
    }
  }
}

TEST(StopTokenOfPool, may_be_that_of_all_its_tasks) {
  std::stop_source stop;
  weft::Pool pool{{.limit = 1, .task = weft::TaskOptions{.stop = stop.get_token()}}};
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  stop.request_stop();
  EXPECT_THROW(pool.submit<identity>(1).get(), weft::Cancelled);
}

TEST(StopTokenOfPool, keeps_a_task_from_being_run_again) {
  const weft::crash::Scratch scratch;
  std::stop_source stop;
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.with({.retries = 5, .stop = stop.get_token()})
                       .submit(
                           [](weft::TaskScope& scope, const std::string& file) {
                             append(file, 'x');
                             while (!scope.stop_token().stop_requested()) std::this_thread::yield();
                             ::raise(SIGKILL);
                           },
                           scratch.file("runs"));
  until_exists(scratch.file("runs"));
  stop.request_stop();
  EXPECT_THROW(execution.get(), weft::WorkerCrashed);
  EXPECT_EQ(contents(scratch.file("runs")), "x");
}

// Waiting.

TEST(Wait, is_cancelled_by_a_stop_token_and_the_task_is_not) {
  const weft::contract::Gate gate;
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<behind>(gate.path(), 5);
  std::stop_source stop;
  std::jthread later{[&] {
    std::this_thread::sleep_for(30ms);
    stop.request_stop();
  }};
  EXPECT_EQ(execution.get(stop.get_token()), std::nullopt);
  EXPECT_FALSE(execution.wait(stop.get_token())) << "it is requested already";
  gate.open();
  EXPECT_EQ(execution.get(std::stop_token{}), 5) << "of no source: as get()";
  EXPECT_EQ(execution.get(stop.get_token()), 5) << "it is there";
}

TEST(Wait, with_a_stop_token_gives_failures_and_nothing) {
  weft::Pool pool{{.limit = 1}};
  std::stop_source stop;
  auto nothing = pool.submit([] {});
  EXPECT_TRUE(nothing.get(stop.get_token()));
  auto failed = pool.submit([] { throw std::out_of_range{"far"}; });
  EXPECT_THROW(static_cast<void>(failed.get(stop.get_token())), std::out_of_range);
}

TEST(Select, gives_a_stop_that_is_requested) {
  auto [here, there] = weft::channel_pair<int, int>(1);
  std::stop_source stop;
  const std::stop_token token = stop.get_token();
  EXPECT_EQ(weft::select_for(1ms, here, token), std::nullopt);
  std::jthread later{[&] {
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  }};
  EXPECT_EQ(weft::select(here, token), 1U);
  there.send(1);
  EXPECT_EQ(weft::select(here, token), 0U) << "the leftmost";
  EXPECT_EQ(weft::select(token, here), 0U);
}

// What tokens are made of.

TEST(AnyStop, is_requested_with_the_first_of_several) {
  std::stop_source one;
  std::stop_source other;
  const weft::AnyStop any = weft::any_stop(one.get_token(), other.get_token(), std::stop_token{});
  EXPECT_FALSE(any.get_token().stop_requested());
  int calls = 0;
  const std::stop_callback callback{any.get_token(), [&] { ++calls; }};
  other.request_stop();
  EXPECT_TRUE(any.get_token().stop_requested());
  one.request_stop();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(weft::any_stop(other.get_token()).get_token().stop_requested()) << "from the start";
  EXPECT_FALSE(weft::any_stop().get_token().stop_requested());
}

TEST(AnyStop, is_requested_when_its_time_has_come) {
  const auto begin = std::chrono::steady_clock::now();
  auto [here, there] = weft::channel_pair<int, int>(1);
  const weft::AnyStop timed = weft::stop_after(30ms);
  EXPECT_FALSE(timed.get_token().stop_requested());
  EXPECT_EQ(weft::select(here, timed.get_token()), 1U);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
  EXPECT_TRUE(weft::stop_at(begin).get_token().stop_requested());
  std::stop_source stop;
  const weft::AnyStop both = weft::stop_after(1h, stop.get_token());
  EXPECT_FALSE(both.get_token().stop_requested());
  stop.request_stop();
  EXPECT_TRUE(both.get_token().stop_requested());
}

TEST(AnyStop, that_is_gone_requests_nothing) {
  std::stop_source stop;
  std::stop_token token;
  std::stop_token moved;
  {
    weft::AnyStop any = weft::stop_after(10ms, stop.get_token());
    token = any.get_token();
    weft::AnyStop other = weft::any_stop(stop.get_token());
    moved = other.get_token();
    any = std::move(other);
    EXPECT_FALSE(other.get_token().stop_possible());  // NOLINT(bugprone-use-after-move)
  }
  stop.request_stop();
  std::this_thread::sleep_for(30ms);
  EXPECT_FALSE(token.stop_requested());
  EXPECT_FALSE(moved.stop_requested());
}

TEST(AnyStop, stands_where_a_token_does) {
  const weft::crash::Scratch scratch;
  weft::Pool pool{{.limit = 1}};
  std::stop_source source;
  const weft::AnyStop stop = weft::any_stop(source.get_token());
  const weft::AnyStop further = weft::any_stop(stop);
  auto execution = pool.with({.stop = further}).submit<marked_until_stopped>(scratch.file("begun"));
  until_exists(scratch.file("begun"));
  EXPECT_FALSE(execution.wait(weft::stop_after(10ms)));
  source.request_stop();
  EXPECT_EQ(execution.get(), 42);
}

}  // namespace
