// How far a task says that it is.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/kinds.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

class ProgressOf : public testing::TestWithParam<WorkerKind> {
 protected:
  Pool pool{pool_of(GetParam())};
};

TEST_P(ProgressOf, is_told_and_the_last_word_comes_before_the_end) {
  auto execution = pool.submit([](TaskScope& scope) {
    for (std::uint64_t i = 1; i <= 1'000'000; ++i) scope.progress(i, 1'000'000);
    return 1;
  });
  EXPECT_EQ(execution.get(), 1);
  EXPECT_EQ(execution.progress(), (Progress{1'000'000, 1'000'000}));
}

TEST_P(ProgressOf, is_nothing_where_the_task_says_nothing) {
  auto execution = pool.submit([] {});
  EXPECT_EQ(execution.progress(), Progress{});
  execution.get();
  EXPECT_EQ(execution.progress(), Progress{});
}

TEST_P(ProgressOf, is_seen_while_the_task_runs) {
  auto execution = pool.submit([](TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    scope.progress(3, 10);
    static_cast<void>(parent.receive());
    throw std::runtime_error{"enough"};
  });
  auto channel = execution.channel<int, int>();
  while (execution.progress() != Progress{3, 10}) std::this_thread::yield();
  EXPECT_FALSE(execution.ready());
  channel.send(1);
  EXPECT_THROW(execution.get(), std::runtime_error);
  EXPECT_EQ(execution.progress(), (Progress{3, 10}));
}

TEST_P(ProgressOf, is_told_to_callbacks_in_order_though_nobody_waits) {
  std::vector<std::uint64_t> heard;
  std::atomic<std::uint64_t> last{0};
  auto execution = pool.submit([](TaskScope& scope) {
    auto submitter = scope.channel<int, int>();
    for (std::uint64_t i = 1; i <= 20; ++i) {
      scope.progress(i, 20);
      static_cast<void>(submitter.receive());
      sleep_for(1ms);  // what comes sooner is held back
    }
  });
  auto task = execution.channel<int, int>();
  execution.on_progress([&](const Progress& progress) {
    heard.push_back(progress.done);
    last = progress.done;
  });
  for (std::uint64_t i = 1; i <= 20; ++i) {
    while (last != i) std::this_thread::yield();
    task.send(0);
  }
  execution.get();
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
  EXPECT_EQ(heard.back(), 20U);
  EXPECT_EQ(heard.size(), 20U);
}

TEST_P(ProgressOf, that_came_too_soon_is_told_when_the_worker_sleeps) {
  auto execution = pool.submit([](TaskScope& scope) {
    for (std::uint64_t i = 1; i <= 50; ++i) scope.progress(i, 50);
    scope.channel<int, int>().receive();
  });
  auto channel = execution.channel<int, int>();
  while (execution.progress() != Progress{50, 50}) std::this_thread::yield();
  channel.send(1);
  execution.get();
}

TEST_P(ProgressOf, is_told_to_a_callback_that_comes_late) {
  auto execution = pool.submit([](TaskScope& scope) { scope.progress(1, 2); });
  execution.get();
  Progress heard;
  execution.on_progress([&](const Progress& progress) { heard = progress; });
  EXPECT_EQ(heard, (Progress{1, 2}));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ProgressOf, testing::ValuesIn(kKindsBeside), kKindNamed);

}  // namespace
}  // namespace weft::contract
