// What a task and its submitter send each other while it runs.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
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
using weft::contract::echo;
using weft::contract::sum;

namespace {

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

}  // namespace
