// What a task and its submitter send each other while it runs.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;
using boost::fibers::fiber;

namespace {

constexpr std::uint64_t kMany = 100'000;

/// Answers each text with its length until nobody asks any more.
std::size_t count_letters(weft::TaskScope& scope) {
  auto parent = scope.channel<std::size_t, std::string>();
  std::size_t all = 0;
  try {
    for (;;) {
      const std::size_t length = parent.receive().size();
      all += length;
      parent.send(length);
    }
  } catch (const weft::Closed&) {  // that was all
  }
  return all;
}

// README.md has this as a sample.
TEST(RemoteChannel, carries_values_both_ways_while_the_task_runs) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<count_letters>();
  auto channel = execution.channel<std::string, std::size_t>();
  channel.send("how long is this?");
  const std::size_t length = channel.receive();  // 17
  channel.close();
  const std::size_t all = execution.get();
  EXPECT_EQ(length, 17U);
  EXPECT_EQ(all, 17U);
}

std::uint64_t echo(weft::TaskScope& scope) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  std::uint64_t count = 0;
  try {
    for (;; ++count) parent.send(parent.receive());
  } catch (const weft::Closed&) {
  }
  return count;
}

TEST(RemoteChannel, goes_there_and_back_again_and_again) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    channel.send(i);
    ASSERT_EQ(channel.receive(), i);
  }
  channel.close();
  EXPECT_EQ(execution.get(), 10'000U);
}

/// Sends so many numbers and receives as many, each on a fiber of its own.
std::uint64_t both_ways(weft::TaskScope& scope, std::uint64_t count) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  fiber sender{[&] {
    for (std::uint64_t i = 0; i < count; ++i) parent.send(i);
  }};
  std::uint64_t in_order = 0;
  for (std::uint64_t i = 0; i < count; ++i) in_order += parent.receive() == i ? 1U : 0U;
  sender.join();
  return in_order;
}

TEST(RemoteChannel, keeps_the_order_of_many_values_each_way) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<both_ways>(kMany);
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  fiber sender{[&] {
    for (std::uint64_t i = 0; i < kMany; ++i) channel.send(i);
  }};
  for (std::uint64_t i = 0; i < kMany; ++i) ASSERT_EQ(channel.receive(), i);
  sender.join();
  EXPECT_EQ(execution.get(), kMany);
}

TEST(RemoteChannel, keeps_the_order_between_threads) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<both_ways>(kMany);
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  std::jthread sender{[&] {
    for (std::uint64_t i = 0; i < kMany; ++i) channel.send(i);
  }};
  for (std::uint64_t i = 0; i < kMany; ++i) ASSERT_EQ(channel.receive(), i);
  EXPECT_EQ(execution.get(), kMany);
}

std::uint64_t sum(weft::TaskScope& scope) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  std::uint64_t sum = 0;
  try {
    for (;;) sum += parent.receive();
  } catch (const weft::Closed&) {
  }
  return sum;
}

TEST(RemoteChannel, lets_many_threads_use_the_parents_end) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  constexpr std::uint64_t kEach = 2'000;
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> total{0};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (std::uint64_t i = 1; i <= kEach; ++i) {
          channel.send(i);
          total += channel.receive();
          ++received;
        }
      });
    }
  }
  channel.close();
  EXPECT_EQ(received, 4 * kEach);
  EXPECT_EQ(total, 4 * kEach * (kEach + 1) / 2);
  EXPECT_EQ(execution.get(), 4 * kEach);
}

/// The task's other threads use its end while it waits itself, by weft's means.
std::uint64_t with_threads(weft::TaskScope& scope, std::uint64_t each) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  auto [done, all] = weft::channel_pair<std::uint64_t, int>(8);
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, &end = done] {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 0; i < each; ++i) {
        parent.send(i);
        sum += parent.receive();
      }
      end.send(sum);
    });
  }
  std::uint64_t sum = 0;
  for (int thread = 0; thread < 3; ++thread) sum += all.receive();
  return sum;
}

TEST(RemoteChannel, lets_many_threads_use_the_tasks_end) {
  weft::Pool pool{{.limit = 1}};
  constexpr std::uint64_t kEach = 1'000;
  auto execution = pool.submit<with_threads>(kEach);
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  std::uint64_t received = 0;
  for (std::uint64_t i = 0; i < 3 * kEach; ++i) {
    received += channel.receive();
    channel.send(1);
  }
  EXPECT_EQ(received, 3 * kEach * (kEach - 1) / 2);
  EXPECT_EQ(execution.get(), 3 * kEach);
}

TEST(RemoteChannel, holds_a_sender_back_and_loses_nothing) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    auto gate = scope.channel<int, int>("gate");
    auto parent = scope.channel<std::uint64_t, std::uint64_t>();
    gate.send(1);
    static_cast<void>(gate.receive());
    std::uint64_t sum = 0;
    try {
      for (;;) sum += parent.receive();
    } catch (const weft::Closed&) {
    }
    return sum;
  });
  auto gate = execution.channel<int, int>("gate");
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  static_cast<void>(gate.receive());
  std::uint64_t sent = 0;
  std::uint64_t sum = 0;
  while (channel.try_send(sent + 1)) sum += ++sent;
  EXPECT_EQ(sent, 64U);
  EXPECT_FALSE(channel.send_for(1ms, 1));
  gate.send(1);
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    channel.send(i);
    sum += i;
  }
  channel.close();
  EXPECT_EQ(execution.get(), sum);
}

TEST(RemoteChannel, keeps_what_is_sent_before_the_other_end_is_taken) {
  weft::Pool pool{{.limit = 1}};
  auto busy = pool.submit<sum>();
  auto held = busy.channel<std::uint64_t, std::uint64_t>();
  held.send(1);
  auto execution = pool.submit<sum>();  // waits for the only worker
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  for (std::uint64_t i = 1; i <= 64; ++i) EXPECT_TRUE(channel.try_send(i));
  EXPECT_FALSE(channel.try_send(65));
  channel.close();
  EXPECT_THROW(channel.send(1), weft::Closed);
  held.close();
  EXPECT_EQ(busy.get(), 1U);
  EXPECT_EQ(execution.get(), 64U * 65 / 2);
}

void say_and_go(weft::TaskScope& scope, int count) {
  auto parent = scope.channel<int, int>();
  for (int i = 0; i < count; ++i) parent.send(i);
}

TEST(RemoteChannel, gives_what_was_sent_after_the_task_has_ended) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<say_and_go>(10);
  execution.get();
  auto channel = execution.channel<int, int>();
  EXPECT_TRUE(channel.is_closed());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(channel.receive(), i);
  EXPECT_THROW(channel.receive(), weft::Closed);
  EXPECT_THROW(channel.send(1), weft::Closed);
}

TEST(RemoteChannel, is_closed_when_the_task_never_took_its_end) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([] { return 3; });
  auto channel = execution.channel<int, int>();
  std::atomic<int> closed{0};
  channel.on_close([&] { ++closed; });
  EXPECT_THROW(channel.receive(), weft::Closed);
  EXPECT_EQ(execution.get(), 3);
  channel.on_close([&] { ++closed; });
  EXPECT_TRUE(channel.is_closed());
  while (closed != 2) std::this_thread::yield();
}

/// Sends some, and dies of SIGKILL.
void die_after(weft::TaskScope& scope, int count) {
  auto parent = scope.channel<int, int>();
  for (int i = 0; i < count; ++i) parent.send(i);
  ::kill(::getpid(), SIGKILL);
}

TEST(RemoteChannel, delivers_what_a_worker_sent_before_it_was_killed) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<die_after>(1'000);
  auto channel = execution.channel<int, int>();
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(channel.receive(), i);
  EXPECT_THROW(channel.receive(), weft::Closed);
  EXPECT_TRUE(channel.is_closed());
  EXPECT_THROW(channel.send(1), weft::Closed);
  EXPECT_THROW(execution.get(), weft::WorkerCrashed);
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

TEST(RemoteChannel, wakes_those_who_wait_when_the_worker_is_killed) {
  weft::Worker worker;
  auto execution = worker.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  channel.send(1);
  EXPECT_EQ(channel.receive(), 1U);
  std::jthread killer{[pid = worker.pid()] { ::kill(static_cast<pid_t>(pid), SIGKILL); }};
  EXPECT_THROW(channel.receive(), weft::Closed);
  EXPECT_THROW(execution.get(), weft::WorkerCrashed);
}

TEST(RemoteChannel, is_closed_when_the_pool_goes) {
  auto pool = std::make_unique<weft::Pool>(weft::PoolOptions{.limit = 1});
  auto execution = pool->submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  channel.send(1);
  EXPECT_EQ(channel.receive(), 1U);
  pool.reset();
  EXPECT_THROW(channel.receive(), weft::Closed);
  EXPECT_THROW(channel.send(1), weft::Closed);
}

TEST(RemoteChannel, outlives_its_execution) {
  weft::Pool pool{{.limit = 1}};
  auto channel = pool.submit<echo>().channel<std::uint64_t, std::uint64_t>();
  channel.send(7);
  EXPECT_EQ(channel.receive(), 7U);
  channel.close();
  pool.wait_idle();
  EXPECT_THROW(channel.receive(), weft::Closed);
}

TEST(RemoteChannel, loses_nothing_when_a_receive_times_out) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  EXPECT_EQ(channel.try_receive(), std::nullopt);
  EXPECT_EQ(channel.receive_for(1ms), std::nullopt);
  for (std::uint64_t i = 0; i < 200; ++i) {
    channel.send(i);
    std::optional<std::uint64_t> back;
    while (!back) back = channel.receive_for(1us);
    ASSERT_EQ(*back, i);
  }
  EXPECT_EQ(channel.receive_until(std::chrono::steady_clock::now() - 1s), std::nullopt);
}

TEST(RemoteChannel, tells_keys_apart) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    auto numbers = scope.channel<int, int>("numbers");
    auto texts = scope.channel<std::string, std::string>("texts");
    auto nobodys = scope.channel<int, int>("nobody's");
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(nobodys.try_send(i));
      texts.send(texts.receive() + "!");
      numbers.send(numbers.receive() + 1);
    }
  });
  auto lonely = execution.channel<int, int>("lonely");
  auto texts = execution.channel<std::string, std::string>("texts");
  auto numbers = execution.channel<int, int>("numbers");
  lonely.send(1);
  for (int i = 0; i < 100; ++i) {
    numbers.send(i);
    texts.send(std::to_string(i));
    EXPECT_EQ(numbers.receive(), i + 1);
    EXPECT_EQ(texts.receive(), std::to_string(i) + "!");
  }
  execution.get();
  EXPECT_TRUE(lonely.is_closed());
}

TEST(RemoteChannel, gives_each_end_once) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    auto first = scope.channel<int, int>("twice");
    try {
      auto second = scope.channel<int, int>("twice");
    } catch (const weft::ArgumentError& error) {
      return std::string{error.what()};
    }
    return std::string{};
  });
  auto first = execution.channel<int, int>("twice");
  EXPECT_THROW(static_cast<void>(execution.channel<int, int>("twice")), weft::ArgumentError);
  EXPECT_NE(execution.get().find("twice"), std::string::npos);
}

TEST(RemoteChannel, refuses_ends_of_different_types) {
  weft::Pool pool{{.limit = 1}};
  const auto task = [](weft::TaskScope& scope) {
    auto parent = scope.channel<int, std::string>();
    scope.progress(1);
    try {
      static_cast<void>(parent.receive());
    } catch (const weft::ArgumentError&) {
      return true;
    }
    return false;
  };
  auto execution = pool.submit(task);
  auto channel = execution.channel<int, int>();
  EXPECT_THROW(static_cast<void>(channel.receive()), weft::ArgumentError);
  EXPECT_THROW(channel.send(1), weft::ArgumentError);
  EXPECT_TRUE(execution.get());
  // The other way round: the task's end is there first.
  auto late = pool.submit(task);
  while (late.progress().done == 0) std::this_thread::yield();
  EXPECT_THROW(static_cast<void>(late.channel<int, int>()), weft::ArgumentError);
  EXPECT_TRUE(late.get());
}

TEST(RemoteChannel, carries_what_arguments_may_be) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    auto texts = scope.channel<std::vector<std::string>, std::vector<std::string>>("values");
    auto buffers = scope.channel<weft::Buffer, weft::Buffer>("buffers");
    for (int i = 0; i < 3; ++i) {
      texts.send(texts.receive());
      buffers.send(buffers.receive());
    }
  });
  auto texts = execution.channel<std::vector<std::string>, std::vector<std::string>>("values");
  auto buffers = execution.channel<weft::Buffer, weft::Buffer>("buffers");
  for (const std::size_t size : {10U, 1'000U, 300'000U}) {
    const std::vector<std::string> sent{std::string(size, 'a'), "", std::string(size, 'b')};
    texts.send(sent);
    EXPECT_EQ(texts.receive(), sent);
    const weft::Buffer buffer = weft::Buffer::copy_of(sent[0]);
    buffers.send(buffer);
    const weft::Buffer back = buffers.receive();
    EXPECT_EQ(back.text(), sent[0]);
    EXPECT_EQ(static_cast<const void*>(back.data()),
              static_cast<const void*>(buffer.data()));  // its own bytes
  }
  execution.get();
}

TEST(RemoteChannel, is_selected_beside_executions) {
  weft::Pool pool{{.limit = 2}};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  auto quick = pool.submit([] { return 1; });
  EXPECT_EQ(weft::select(channel, quick), 1U);
  EXPECT_EQ(weft::select_for(1ms, channel, execution), std::nullopt);
  channel.send(5);
  EXPECT_EQ(weft::select(execution, channel), 1U);
  EXPECT_EQ(channel.try_receive(), 5U);
  channel.close();
  EXPECT_EQ(weft::select(execution), 0U);
}

TEST(RemoteChannel, is_selected_in_the_task) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    auto first = scope.channel<int, int>("first");
    auto second = scope.channel<int, int>("second");
    std::string order;
    for (int i = 0; i < 4; ++i) {
      if (weft::select(first, second) == 0) {
        order += 'a';
        first.send(first.receive());
      } else {
        order += 'b';
        second.send(second.receive());
      }
    }
    return order;
  });
  auto first = execution.channel<int, int>("first");
  auto second = execution.channel<int, int>("second");
  for (const bool is_first : {true, false, false, true}) {
    auto& channel = is_first ? first : second;
    channel.send(1);
    EXPECT_EQ(channel.receive(), 1);
  }
  EXPECT_EQ(execution.get(), "abba");
}

TEST(RemoteChannel, suspends_the_fiber_alone) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  std::vector<int> order;
  fiber waits{[&] {
    order.push_back(1);
    static_cast<void>(channel.receive());
    order.push_back(3);
  }};
  fiber goes_on{[&] {
    order.push_back(2);
    channel.send(1);
  }};
  waits.join();
  goes_on.join();
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(RemoteChannel, shares_its_worker_with_other_tasks) {
  weft::Pool pool{{.limit = 1}};
  const auto same = [](std::uint64_t x) { return x; };
  // Short tasks, so that several are with the worker at a time from now on.
  for (std::uint64_t i = 0; i < 2'000; ++i) ASSERT_EQ(pool.submit(same, i).get(), i);
  auto execution = pool.submit<echo>();
  std::vector<weft::Execution<std::uint64_t>> others;
  for (std::uint64_t i = 0; i < 200; ++i) others.push_back(pool.submit(same, i));
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  for (std::uint64_t i = 0; i < 200; ++i) {
    channel.send(i);
    ASSERT_EQ(channel.receive(), i);
    others.push_back(pool.submit(same, i));
  }
  channel.close();
  EXPECT_EQ(execution.get(), 200U);
  for (std::uint64_t i = 0; i < 400; ++i) EXPECT_EQ(others[i].get(), i % 200);
}

TEST(RemoteChannel, goes_on_while_its_worker_is_being_replaced) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  channel.send(0);
  EXPECT_EQ(channel.receive(), 0U);
  pool.restart();
  for (std::uint64_t i = 1; i < 100; ++i) {
    channel.send(i);
    ASSERT_EQ(channel.receive(), i);
  }
  channel.close();
  EXPECT_EQ(execution.get(), 100U);
}

TEST(RemoteChannel, moves_with_a_task_that_goes_to_another_worker) {
  weft::Pool pool{{.limit = 1}};
  auto long_one = pool.submit([] { std::this_thread::sleep_for(50ms); });
  std::vector<weft::Execution<std::uint64_t>> executions;
  std::vector<weft::Channel<std::uint64_t, std::uint64_t>> channels;
  for (int i = 0; i < 20; ++i) {
    executions.push_back(pool.submit<sum>());
    channels.push_back(executions.back().channel<std::uint64_t, std::uint64_t>());
    for (std::uint64_t value = 1; value <= 10; ++value) channels.back().send(value);
    channels.back().close();
  }
  pool.resize(4);
  for (auto& execution : executions) EXPECT_EQ(execution.get(), 55U);
}

TEST(RemoteChannel, is_not_kept_by_a_task_that_is_run_once_more) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.with({.retries = 3}).submit<die_after>(2);
  auto channel = execution.channel<int, int>();
  EXPECT_EQ(channel.receive(), 0);
  EXPECT_EQ(channel.receive(), 1);
  EXPECT_THROW(channel.receive(), weft::Closed);
  EXPECT_THROW(execution.get(), weft::WorkerCrashed);
}

TEST(RemoteChannel, may_not_be_waited_for_in_a_callback) {
  weft::Pool pool{{.limit = 2}};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  std::atomic<int> refused{0};
  auto quick = pool.submit([] {});
  quick.then([&] {
    try {
      static_cast<void>(channel.receive());
    } catch (const weft::Error&) {
      refused = 1;
    }
  });
  quick.wait();
  while (refused == 0) std::this_thread::yield();
}

TEST(RemoteChannel, closes_at_both_ends) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit([](weft::TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    auto [news, told] = weft::channel_pair<int, int>(1);
    parent.on_close([&end = news] { static_cast<void>(end.try_send(1)); });
    return told.receive();
  });
  auto channel = execution.channel<int, int>();
  channel.close();
  channel.close();
  EXPECT_TRUE(channel.is_closed());
  EXPECT_EQ(execution.get(), 1);
}

// Progress.

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
