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

#include "contract/kinds.hpp"
#include "contract/talking_tasks.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

class RemoteChannel : public testing::TestWithParam<WorkerKind> {
 protected:
  static PoolOptions options(std::size_t limit = 1) { return pool_of(GetParam(), limit); }
};
/// Of a worker that may be killed.
using RemoteChannelOfAProcess = RemoteChannel;

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
TEST_P(RemoteChannel, carries_values_both_ways_while_the_task_runs) {
  Pool pool{options()};
  auto execution = pool.submit<count_letters>();
  auto channel = execution.channel<std::string, std::size_t>();
  channel.send("how long is this?");
  const std::size_t length = channel.receive();  // 17
  channel.close();
  const std::size_t all = execution.get();
  EXPECT_EQ(length, 17U);
  EXPECT_EQ(all, 17U);
}

TEST_P(RemoteChannel, keeps_what_is_sent_before_the_other_end_is_taken) {
  Pool pool{options()};
  auto busy = pool.submit<sum>();
  auto held = busy.channel<std::uint64_t, std::uint64_t>();
  held.send(1);
  auto execution = pool.submit<sum>();  // waits for the only worker
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  for (std::uint64_t i = 1; i <= 64; ++i) EXPECT_TRUE(channel.try_send(i));
  EXPECT_FALSE(channel.try_send(65));
  channel.close();
  EXPECT_THROW(channel.send(1), Closed);
  held.close();
  EXPECT_EQ(busy.get(), 1U);
  EXPECT_EQ(execution.get(), 64U * 65 / 2);
}

void say_and_go(TaskScope& scope, int count) {
  auto parent = scope.channel<int, int>();
  for (int i = 0; i < count; ++i) parent.send(i);
}

TEST_P(RemoteChannel, gives_what_was_sent_after_the_task_has_ended) {
  Pool pool{options()};
  auto execution = pool.submit<say_and_go>(10);
  execution.get();
  auto channel = execution.channel<int, int>();
  EXPECT_TRUE(channel.is_closed());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(channel.receive(), i);
  EXPECT_THROW(channel.receive(), Closed);
  EXPECT_THROW(channel.send(1), Closed);
}

TEST_P(RemoteChannel, is_closed_when_the_task_never_took_its_end) {
  Pool pool{options()};
  auto execution = pool.submit([] { return 3; });
  auto channel = execution.channel<int, int>();
  std::atomic<int> closed{0};
  channel.on_close([&] { ++closed; });
  EXPECT_THROW(channel.receive(), Closed);
  EXPECT_EQ(execution.get(), 3);
  channel.on_close([&] { ++closed; });
  EXPECT_TRUE(channel.is_closed());
  while (closed != 2) std::this_thread::yield();
}

/// Sends some, and dies of SIGKILL.
void die_after(TaskScope& scope, int count) {
  auto parent = scope.channel<int, int>();
  for (int i = 0; i < count; ++i) parent.send(i);
  ::kill(::getpid(), SIGKILL);
}

TEST_P(RemoteChannelOfAProcess, delivers_what_a_worker_sent_before_it_was_killed) {
  Pool pool{options()};
  auto execution = pool.submit<die_after>(1'000);
  auto channel = execution.channel<int, int>();
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(channel.receive(), i);
  EXPECT_THROW(channel.receive(), Closed);
  EXPECT_TRUE(channel.is_closed());
  EXPECT_THROW(channel.send(1), Closed);
  EXPECT_THROW(execution.get(), WorkerCrashed);
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

TEST_P(RemoteChannelOfAProcess, wakes_those_who_wait_when_the_worker_is_killed) {
  Worker worker{options().worker};
  auto execution = worker.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  channel.send(1);
  EXPECT_EQ(channel.receive(), 1U);
  std::jthread killer{[pid = worker.pid()] { ::kill(static_cast<pid_t>(pid), SIGKILL); }};
  EXPECT_THROW(channel.receive(), Closed);
  EXPECT_THROW(execution.get(), WorkerCrashed);
}

TEST_P(RemoteChannel, is_closed_when_the_pool_goes) {
  auto pool = std::make_unique<Pool>(options());
  auto execution = pool->submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  channel.send(1);
  EXPECT_EQ(channel.receive(), 1U);
  pool.reset();
  EXPECT_THROW(channel.receive(), Closed);
  EXPECT_THROW(channel.send(1), Closed);
}

TEST_P(RemoteChannel, outlives_its_execution) {
  Pool pool{options()};
  auto channel = pool.submit<echo>().channel<std::uint64_t, std::uint64_t>();
  channel.send(7);
  EXPECT_EQ(channel.receive(), 7U);
  channel.close();
  pool.wait_idle();
  EXPECT_THROW(channel.receive(), Closed);
}

TEST_P(RemoteChannel, loses_nothing_when_a_receive_times_out) {
  Pool pool{options()};
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

TEST_P(RemoteChannel, tells_keys_apart) {
  Pool pool{options()};
  auto execution = pool.submit([](TaskScope& scope) {
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

TEST_P(RemoteChannel, gives_each_end_once) {
  Pool pool{options()};
  auto execution = pool.submit([](TaskScope& scope) {
    auto first = scope.channel<int, int>("twice");
    try {
      auto second = scope.channel<int, int>("twice");
    } catch (const ArgumentError& error) {
      return std::string{error.what()};
    }
    return std::string{};
  });
  auto first = execution.channel<int, int>("twice");
  EXPECT_THROW(static_cast<void>(execution.channel<int, int>("twice")), ArgumentError);
  EXPECT_NE(execution.get().find("twice"), std::string::npos);
}

TEST_P(RemoteChannel, refuses_ends_of_different_types) {
  Pool pool{options()};
  const auto task = [](TaskScope& scope) {
    auto parent = scope.channel<int, std::string>();
    scope.progress(1);
    try {
      static_cast<void>(parent.receive());
    } catch (const ArgumentError&) {
      return true;
    }
    return false;
  };
  auto execution = pool.submit(task);
  auto channel = execution.channel<int, int>();
  EXPECT_THROW(static_cast<void>(channel.receive()), ArgumentError);
  EXPECT_THROW(channel.send(1), ArgumentError);
  EXPECT_TRUE(execution.get());
  // The other way round: the task's end is there first.
  auto late = pool.submit(task);
  while (late.progress().done == 0) std::this_thread::yield();
  EXPECT_THROW(static_cast<void>(late.channel<int, int>()), ArgumentError);
  EXPECT_TRUE(late.get());
}

TEST_P(RemoteChannel, carries_what_arguments_may_be) {
  Pool pool{options()};
  auto execution = pool.submit([](TaskScope& scope) {
    auto texts = scope.channel<std::vector<std::string>, std::vector<std::string>>("values");
    auto buffers = scope.channel<Buffer, Buffer>("buffers");
    for (int i = 0; i < 3; ++i) {
      texts.send(texts.receive());
      buffers.send(buffers.receive());
    }
  });
  auto texts = execution.channel<std::vector<std::string>, std::vector<std::string>>("values");
  auto buffers = execution.channel<Buffer, Buffer>("buffers");
  for (const std::size_t size : {10U, 1'000U, 300'000U}) {
    const std::vector<std::string> sent{std::string(size, 'a'), "", std::string(size, 'b')};
    texts.send(sent);
    EXPECT_EQ(texts.receive(), sent);
    const Buffer buffer = Buffer::copy_of(sent[0]);
    buffers.send(buffer);
    const Buffer back = buffers.receive();
    EXPECT_EQ(back.text(), sent[0]);
    EXPECT_EQ(static_cast<const void*>(back.data()),
              static_cast<const void*>(buffer.data()));  // its own bytes
  }
  execution.get();
}

TEST_P(RemoteChannel, is_selected_beside_executions) {
  Pool pool{options(2)};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  auto quick = pool.submit([] { return 1; });
  EXPECT_EQ(select(channel, quick), 1U);
  EXPECT_EQ(select_for(1ms, channel, execution), std::nullopt);
  channel.send(5);
  EXPECT_EQ(select(execution, channel), 1U);
  EXPECT_EQ(channel.try_receive(), 5U);
  channel.close();
  EXPECT_EQ(select(execution), 0U);
}

TEST_P(RemoteChannel, is_selected_in_the_task) {
  Pool pool{options()};
  auto execution = pool.submit([](TaskScope& scope) {
    auto first = scope.channel<int, int>("first");
    auto second = scope.channel<int, int>("second");
    std::string order;
    for (int i = 0; i < 4; ++i) {
      if (select(first, second) == 0) {
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

TEST_P(RemoteChannelOfAProcess, is_not_kept_by_a_task_that_is_run_once_more) {
  Pool pool{options()};
  auto execution = pool.with({.retries = 3}).submit<die_after>(2);
  auto channel = execution.channel<int, int>();
  EXPECT_EQ(channel.receive(), 0);
  EXPECT_EQ(channel.receive(), 1);
  EXPECT_THROW(channel.receive(), Closed);
  EXPECT_THROW(execution.get(), WorkerCrashed);
}

TEST_P(RemoteChannel, may_not_be_waited_for_in_a_callback) {
  Pool pool{options(2)};
  auto execution = pool.submit<echo>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  std::atomic<int> refused{0};
  auto quick = pool.submit([] {});
  quick.then([&] {
    try {
      static_cast<void>(channel.receive());
    } catch (const Error&) {
      refused = 1;
    }
  });
  quick.wait();
  while (refused == 0) std::this_thread::yield();
}

TEST_P(RemoteChannel, closes_at_both_ends) {
  Pool pool{options()};
  auto execution = pool.submit([](TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    auto [news, told] = channel_pair<int, int>(1);
    parent.on_close([&end = news] { static_cast<void>(end.try_send(1)); });
    return told.receive();
  });
  auto channel = execution.channel<int, int>();
  channel.close();
  channel.close();
  EXPECT_TRUE(channel.is_closed());
  EXPECT_EQ(execution.get(), 1);
}

INSTANTIATE_TEST_SUITE_P(Of, RemoteChannel, testing::ValuesIn(kKindsBeside), kKindNamed);
INSTANTIATE_TEST_SUITE_P(Of, RemoteChannelOfAProcess, testing::ValuesIn(kKindsApart), kKindNamed);

}  // namespace
}  // namespace weft::contract
