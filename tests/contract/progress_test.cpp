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

using namespace std::chrono_literals;

namespace {

TEST(Progress, is_told_and_the_last_word_comes_before_the_end) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    for (std::uint64_t i = 1; i <= 1'000'000; ++i) scope.progress(i, 1'000'000);
    return 1;
  });
  EXPECT_EQ(execution.get(), 1);
  EXPECT_EQ(execution.progress(), (weft::Progress{1'000'000, 1'000'000}));
}

TEST(Progress, is_nothing_where_the_task_says_nothing) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([] {});
  EXPECT_EQ(execution.progress(), weft::Progress{});
  execution.get();
  EXPECT_EQ(execution.progress(), weft::Progress{});
}

TEST(Progress, is_seen_while_the_task_runs) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    scope.progress(3, 10);
    static_cast<void>(parent.receive());
    throw std::runtime_error{"enough"};
  });
  auto channel = execution.channel<int, int>();
  while (execution.progress() != weft::Progress{3, 10}) std::this_thread::yield();
  EXPECT_FALSE(execution.ready());
  channel.send(1);
  EXPECT_THROW(execution.get(), std::runtime_error);
  EXPECT_EQ(execution.progress(), (weft::Progress{3, 10}));
}

TEST(Progress, is_told_to_callbacks_in_order_though_nobody_waits) {
  weft::Pool pool{{.limit = 1}};
  std::vector<std::uint64_t> heard;
  std::atomic<bool> done{false};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    for (std::uint64_t i = 1; i <= 20; ++i) {
      scope.progress(i, 20);
      weft::sleep_for(1ms);
    }
  });
  execution.on_progress([&](const weft::Progress& progress) {
    heard.push_back(progress.done);
    if (progress.done == 20) done = true;
  });
  while (!done) std::this_thread::yield();
  execution.get();
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
  EXPECT_EQ(heard.back(), 20U);
  EXPECT_GT(heard.size(), 2U);
}

TEST(Progress, is_told_to_a_callback_that_comes_late) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) { scope.progress(1, 2); });
  execution.get();
  weft::Progress heard;
  execution.on_progress([&](const weft::Progress& progress) { heard = progress; });
  EXPECT_EQ(heard, (weft::Progress{1, 2}));
}

}  // namespace
