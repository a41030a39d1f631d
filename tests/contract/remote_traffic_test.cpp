// Much that a task and its submitter send each other: in order, between many, and where there is no room.

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

#include "contract/talking_tasks.hpp"

using namespace std::chrono_literals;
using boost::fibers::fiber;
using weft::contract::echo;
using weft::contract::sum;

namespace {

constexpr std::uint64_t kMany = 100'000;

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

constexpr int kChannels = 4;
constexpr int kEach = 64;

std::string text_of(int channel, int index) {
  return std::string(1'000, static_cast<char>('a' + channel)) + std::to_string(index);
}

/// More than a ring holds, each way.
int more_than_a_ring(weft::TaskScope& scope) {
  std::vector<weft::Channel<std::string, std::string>> channels;
  for (int i = 0; i < kChannels; ++i)
    channels.push_back(scope.channel<std::string, std::string>(std::to_string(i)));
  std::this_thread::sleep_for(20ms);  // reads nothing meanwhile
  for (int i = 0; i < kEach; ++i) {
    for (int each = 0; each < kChannels; ++each) {
      if (!channels[static_cast<std::size_t>(each)].try_send(text_of(each, i))) return -1;
    }
  }
  int right = 0;
  for (int each = 0; each < kChannels; ++each) {
    for (int i = 0; i < kEach; ++i) {
      if (channels[static_cast<std::size_t>(each)].receive() == text_of(each, i)) ++right;
    }
  }
  return right;
}

TEST(RemoteChannel, keeps_what_the_ring_has_no_room_for) {
  weft::Pool pool{{.limit = 1}};
  auto execution = pool.submit<more_than_a_ring>();
  std::vector<weft::Channel<std::string, std::string>> channels;
  for (int i = 0; i < kChannels; ++i)
    channels.push_back(execution.channel<std::string, std::string>(std::to_string(i)));
  for (int i = 0; i < kEach; ++i) {
    for (int each = 0; each < kChannels; ++each)
      ASSERT_TRUE(channels[static_cast<std::size_t>(each)].try_send(text_of(each, i)));
  }
  std::this_thread::sleep_for(40ms);  // reads nothing meanwhile
  for (int each = 0; each < kChannels; ++each) {
    for (int i = 0; i < kEach; ++i)
      ASSERT_EQ(channels[static_cast<std::size_t>(each)].receive(), text_of(each, i));
  }
  EXPECT_EQ(execution.get(), kChannels * kEach);
}

}  // namespace
