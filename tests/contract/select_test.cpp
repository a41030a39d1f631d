// Waiting for the first of several, within one process and beside tasks of others.

#include <gtest/gtest.h>

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <chrono>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/channel.hpp>
#include <weft/mutex.hpp>
#include <weft/pool.hpp>
#include <weft/select.hpp>
#include <weft/sleep.hpp>

using namespace std::chrono_literals;
using boost::fibers::fiber;

namespace {

template <class A, class B>
struct Ends {
  explicit Ends(std::size_t capacity) : Ends{weft::channel_pair<A, B>(capacity)} {}
  explicit Ends(std::pair<weft::Channel<A, B>, weft::Channel<B, A>> pair)
      : here{std::move(pair.first)}, there{std::move(pair.second)} {}
  weft::Channel<A, B> here;
  weft::Channel<B, A> there;
};

TEST(Select, gives_the_leftmost_that_has_come) {
  Ends<int, std::string> a{1};
  Ends<int, int> b{1};
  EXPECT_EQ(weft::select_for(1ms, a.here, b.there), std::nullopt);
  EXPECT_EQ(weft::select_until(std::chrono::steady_clock::now() - 1s, a.here, b.there), std::nullopt);
  b.here.send(1);
  EXPECT_EQ(weft::select(a.here, b.there), 1U);
  a.there.send("first");
  EXPECT_EQ(weft::select(a.here, b.there), 0U);
  EXPECT_EQ(a.here.receive(), "first");
  EXPECT_EQ(weft::select_for(1h, a.here, b.there), 1U);
  EXPECT_EQ(b.there.receive(), 1);
}

TEST(Select, gives_a_timer_by_its_position) {
  Ends<int, int> a{1};
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(weft::select(a.there, weft::after(20ms)), 1U);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
  EXPECT_EQ(weft::select(weft::at(begin), a.there), 0U) << "it has passed";
  EXPECT_EQ(weft::select_for(5ms, a.there, weft::after(1h)), std::nullopt);
  EXPECT_EQ(weft::select(weft::after(1h), a.there, weft::after(5ms)), 2U) << "the one that comes first";
  EXPECT_EQ(weft::select(weft::at(begin), weft::at(begin)), 0U);
  a.here.send(1);
  EXPECT_EQ(weft::select(weft::after(1h), a.there), 1U);
  EXPECT_EQ(weft::select(a.there, weft::after(0ms)), 0U) << "the leftmost of those that have come";
}

TEST(Select, keeps_a_timer_over_several_calls) {
  Ends<int, int> a{1};
  std::jthread sender{[&] {
    try {
      for (int i = 0;; ++i) {
        a.here.send(i);
        weft::sleep_for(1ms);
      }
    } catch (const weft::Closed&) {  // nobody receives any more
    }
  }};
  auto end = weft::after(50ms);
  const auto begin = std::chrono::steady_clock::now();
  int received = 0;
  for (; weft::select(end, a.there) == 1; ++received) EXPECT_EQ(a.there.receive(), received);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
  EXPECT_GT(received, 0);
  EXPECT_EQ(weft::select(end, a.there), 0U) << "it has come for good";
  a.there.close();
}

TEST(Select, suspends_the_fiber_until_another_sends_or_closes) {
  Ends<int, int> a{1};
  Ends<int, int> b{1};
  std::vector<std::size_t> selected;
  fiber waiting{[&] {
    selected.push_back(weft::select(a.there, b.there));
    EXPECT_EQ(b.there.receive(), 7);
    selected.push_back(weft::select(a.there, b.there));
    EXPECT_TRUE(a.there.is_closed());
  }};
  boost::this_fiber::yield();
  EXPECT_TRUE(selected.empty());
  b.here.send(7);
  boost::this_fiber::yield();
  EXPECT_EQ(selected, (std::vector<std::size_t>{1}));
  std::jthread{[&] { a.here.close(); }}.join();
  waiting.join();
  EXPECT_EQ(selected, (std::vector<std::size_t>{1, 0}));
}

TEST(Select, takes_the_same_channel_twice) {
  Ends<int, int> a{1};
  std::jthread sender{[&] {
    weft::sleep_for(1ms);
    a.here.send(1);
  }};
  EXPECT_EQ(weft::select(a.there, a.there), 0U);
}

TEST(Select, misses_nothing_of_what_several_threads_send) {
  constexpr int kValues = 20'000;
  Ends<int, int> a{4};
  Ends<int, int> b{4};
  const auto send = [](auto& end) {
    for (int i = 0; i < kValues; ++i) end.send(i);
    end.close();
  };
  std::jthread sends_a{[&] { send(a.here); }};
  std::jthread sends_b{[&] { send(b.here); }};
  int next[2] = {0, 0};
  const auto take = [](auto& end, int& expected) {
    const auto value = end.try_receive();
    ASSERT_EQ(value, expected);
    ++expected;
  };
  while (next[0] < kValues || next[1] < kValues) {
    // One that is closed is ready for ever: wait for the other alone.
    if (next[0] == kValues) {
      ASSERT_EQ(weft::select(b.there), 0U);
      take(b.there, next[1]);
    } else if (next[1] == kValues) {
      ASSERT_EQ(weft::select(a.there), 0U);
      take(a.there, next[0]);
    } else if (const auto which = weft::select_for(20us, a.there, b.there)) {
      *which == 0 ? take(a.there, next[0]) : take(b.there, next[1]);
    }
  }
}

TEST(Select, wakes_all_that_select_and_leaves_the_value_to_one) {
  Ends<int, int> a{1};
  int got = 0;
  int late = 0;
  std::vector<fiber> fibers;
  for (int f = 0; f < 3; ++f) {
    fibers.emplace_back([&] {
      EXPECT_EQ(weft::select(a.there), 0U);
      try {
        a.there.try_receive() ? ++got : ++late;
      } catch (const weft::Closed&) {
        ++late;
      }
    });
  }
  boost::this_fiber::yield();
  a.here.send(1);
  fibers[0].join();
  a.here.close();
  for (int f = 1; f < 3; ++f) fibers[static_cast<std::size_t>(f)].join();
  EXPECT_EQ(got, 1);
  EXPECT_EQ(late, 2);
}

int slow(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
  return ms;
}

int failing() { throw std::runtime_error{"failed"}; }

TEST(Select, waits_for_executions_beside_channels) {
  weft::Pool pool{{.limit = 1}};
  Ends<int, int> a{1};
  auto execution = pool.submit<slow>(50);
  EXPECT_EQ(weft::select_for(1ms, a.there, execution), std::nullopt);
  std::jthread sender{[&] { a.here.send(1); }};
  EXPECT_EQ(weft::select(execution, a.there), 1U);
  EXPECT_EQ(a.there.receive(), 1);
  EXPECT_EQ(weft::select(a.there, execution), 1U);
  EXPECT_EQ(execution.get(), 50);
  EXPECT_EQ(weft::select(a.there, execution), 1U);
  auto failed = pool.submit<failing>();
  EXPECT_EQ(weft::select(a.there, failed), 1U);
  EXPECT_THROW(failed.get(), std::runtime_error);
}

TEST(Select, asks_over_and_over_beside_a_long_execution) {
  weft::Pool pool{{.limit = 1}};
  Ends<int, int> a{1};
  auto execution = pool.submit<slow>(200);
  fiber sender{[&] {
    for (int i = 0; i < 10'000; ++i) a.here.send(i);
  }};
  for (int expected = 0; expected < 10'000; ++expected) {
    EXPECT_TRUE(weft::select(a.there, execution) == 0 || execution.ready());
    ASSERT_EQ(a.there.receive(), expected);
  }
  sender.join();
  EXPECT_EQ(execution.get(), 200);
}

/// Of the worker that runs both: what one task waits for, another one there gives.
weft::Mutex& worker_mutex() {
  static weft::Mutex mutex;
  return mutex;
}
int hold(int ms) {
  const std::lock_guard guard{worker_mutex()};
  weft::sleep_for(std::chrono::milliseconds{ms});
  return ms;
}

TEST(Select, sleeps_and_locks_work_in_tasks_too) {
  weft::Pool pool{{.limit = 1}};
  std::vector<weft::Execution<int>> executions;
  for (const int ms : {5, 1, 3}) executions.push_back(pool.submit<hold>(ms));
  std::vector<int> got;
  for (auto& each : executions) got.push_back(each.get());
  EXPECT_EQ(got, (std::vector{5, 1, 3}));
}

}  // namespace
