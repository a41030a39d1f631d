// What fibers and threads of one process send each other.

#include <gtest/gtest.h>

#include <atomic>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/channel.hpp>
#include <weft/sleep.hpp>

using namespace std::chrono_literals;
using boost::fibers::fiber;

namespace {

TEST(Channel, carries_values_both_ways) {
  auto ends = weft::channel_pair<std::string, int>(4);
  auto& here = ends.first;
  auto& there = ends.second;
  here.send("one");
  const std::string two = "two";
  here.send(two);
  there.send(1);
  EXPECT_EQ(there.receive(), "one");
  EXPECT_EQ(there.receive(), "two");
  EXPECT_EQ(here.receive(), 1);
}

// README.md has this as a sample.
TEST(Channel, answers_between_a_fiber_and_a_thread) {
  auto [questions, answers] = weft::channel_pair<std::string, std::size_t>(16);
  std::jthread counter{[end = std::move(answers)]() mutable {
    try {
      for (;;) end.send(end.receive().size());
    } catch (const weft::Closed&) {  // nobody asks any more
    }
  }};
  questions.send("how long is this?");
  const std::size_t length = questions.receive();  // 17
  questions.close();
  EXPECT_EQ(length, 17U);
}

TEST(Channel, needs_room_for_one_value_at_least) {
  EXPECT_THROW(static_cast<void>((weft::channel_pair<int, int>(0))), weft::ArgumentError);
}

TEST(Channel, holds_as_many_values_as_its_capacity) {
  auto ends = weft::channel_pair<int, int>(3);
  auto& here = ends.first;
  auto& there = ends.second;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(here.try_send(i));
  EXPECT_FALSE(here.try_send(3));
  EXPECT_FALSE(here.send_for(1ms, 3));
  EXPECT_FALSE(here.send_until(std::chrono::steady_clock::now() - 1s, 3));
  EXPECT_EQ(there.receive(), 0);
  EXPECT_TRUE(here.send_until(std::chrono::steady_clock::now() + 1h, 3));
  for (int i = 1; i < 4; ++i) EXPECT_EQ(there.try_receive(), i);
  EXPECT_EQ(there.try_receive(), std::nullopt);
}

TEST(Channel, leaves_a_value_with_its_sender_if_it_was_not_sent) {
  auto ends = weft::channel_pair<std::unique_ptr<int>, int>(1);
  auto& here = ends.first;
  auto& there = ends.second;
  EXPECT_TRUE(here.try_send(std::make_unique<int>(1)));
  auto value = std::make_unique<int>(2);
  EXPECT_FALSE(here.try_send(std::move(value)));
  EXPECT_FALSE(here.send_for(1ms, std::move(value)));
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*there.receive(), 1);
  here.send(std::move(value));
  EXPECT_EQ(value, nullptr);
  EXPECT_EQ(*there.receive(), 2);
  here.close();
  value = std::make_unique<int>(3);
  EXPECT_THROW(here.send(std::move(value)), weft::Closed);
  EXPECT_NE(value, nullptr);
}

TEST(Channel, suspends_only_the_fiber_that_waits) {
  auto ends = weft::channel_pair<int, int>(2);
  auto& here = ends.first;
  auto& there = ends.second;
  std::vector<std::string> steps;
  fiber sender{[&] {
    for (int i = 0; i < 5; ++i) here.send(i);
    steps.emplace_back("sent");
  }};
  fiber other{[&] { steps.emplace_back("other"); }};
  other.join();
  EXPECT_EQ(steps, (std::vector<std::string>{"other"}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(there.receive(), i);
  sender.join();
  EXPECT_EQ(steps.back(), "sent");
}

TEST(Channel, loses_nothing_to_a_receive_that_timed_out) {
  auto ends = weft::channel_pair<int, int>(1);
  auto& here = ends.first;
  auto& there = ends.second;
  EXPECT_EQ(there.receive_for(2ms), std::nullopt);
  EXPECT_EQ(there.receive_until(std::chrono::steady_clock::now() - 1s), std::nullopt);
  here.send(7);
  EXPECT_EQ(there.receive_for(1h), 7);
}

TEST(Channel, loses_nothing_where_deadlines_and_values_come_at_the_same_time) {
  constexpr int kValues = 20'000;
  auto ends = weft::channel_pair<int, int>(2);
  auto& here = ends.first;
  auto& there = ends.second;
  std::jthread sender{[&] {
    for (int i = 0; i < kValues;) i += here.send_for(std::chrono::microseconds{i % 70}, i) ? 1 : 0;
  }};
  for (int expected = 0; expected < kValues;) {
    if (const auto got = there.receive_for(std::chrono::microseconds{expected % 90})) {
      ASSERT_EQ(*got, expected);
      ++expected;
    }
  }
}

TEST(Channel, keeps_the_order_of_100000_values_each_way_between_threads) {
  static constexpr std::uint32_t kValues = 100'000;
  auto pair = weft::channel_pair<std::uint32_t, std::string>(64);
  const auto run = [](auto& end, auto make, auto check) {
    fiber sender{[&] {
      for (std::uint32_t i = 0; i < kValues; ++i) end.send(make(i));
    }};
    std::uint32_t in_order = 0;
    for (std::uint32_t i = 0; i < kValues; ++i) in_order += check(end.receive(), i) ? 1 : 0;
    sender.join();
    EXPECT_EQ(in_order, kValues);
  };
  const auto number = [](std::uint32_t i) { return i; };
  const auto text = [](std::uint32_t i) { return std::to_string(i); };
  std::jthread there{
      [&] { run(pair.second, text, [](std::uint32_t got, std::uint32_t i) { return got == i; }); }};
  run(pair.first, number, [](const std::string& got, std::uint32_t i) { return got == std::to_string(i); });
}

TEST(Channel, keeps_the_order_of_100000_values_each_way_between_fibers) {
  constexpr int kValues = 100'000;
  auto ends = weft::channel_pair<int, int>(8);
  auto& here = ends.first;
  auto& there = ends.second;
  int in_order = 0;
  std::vector<fiber> fibers;
  fibers.emplace_back([&] {
    for (int i = 0; i < kValues; ++i) here.send(i);
  });
  fibers.emplace_back([&] {
    for (int i = 0; i < kValues; ++i) there.send(i);
  });
  fibers.emplace_back([&] {
    for (int i = 0; i < kValues; ++i) in_order += here.receive() == i ? 1 : 0;
  });
  for (int i = 0; i < kValues; ++i) in_order += there.receive() == i ? 1 : 0;
  for (auto& each : fibers) each.join();
  EXPECT_EQ(in_order, 2 * kValues);
}

TEST(Channel, gives_each_value_to_one_of_many_receivers_and_takes_from_many_senders) {
  constexpr int kEach = 5'000;
  auto ends = weft::channel_pair<int, int>(4);
  auto& here = ends.first;
  auto& there = ends.second;
  std::atomic<std::int64_t> sum = 0;
  std::atomic<int> count = 0;
  {
    std::vector<std::jthread> receivers;
    for (int t = 0; t < 2; ++t) {
      receivers.emplace_back([&] {
        std::vector<fiber> fibers;
        for (int f = 0; f < 3; ++f) {
          fibers.emplace_back([&] {
            try {
              for (;;) {
                sum += there.receive();
                ++count;
              }
            } catch (const weft::Closed&) {  // all was received
            }
          });
        }
        for (auto& each : fibers) each.join();
      });
    }
    std::vector<std::jthread> senders;
    for (int t = 0; t < 3; ++t) {
      senders.emplace_back([&] {
        for (int i = 1; i <= kEach; ++i) here.send(i);
      });
    }
    senders.clear();
    here.close();
  }
  EXPECT_EQ(count, 3 * kEach);
  EXPECT_EQ(sum, std::int64_t{3} * kEach * (kEach + 1) / 2);
}

TEST(Channel, serves_those_who_wait_in_the_order_of_their_coming) {
  auto ends = weft::channel_pair<int, int>(4);
  auto& here = ends.first;
  auto& there = ends.second;
  std::vector<std::pair<int, int>> got;
  std::vector<fiber> fibers;
  for (int f = 0; f < 4; ++f) {
    fibers.emplace_back([&, f] { got.emplace_back(f, there.receive()); });
  }
  boost::this_fiber::yield();
  for (int i = 0; i < 4; ++i) here.send(i);
  // What was sent is for those who wait, though none of them has run yet.
  EXPECT_EQ(there.try_receive(), std::nullopt);
  for (auto& each : fibers) each.join();
  EXPECT_EQ(got, (std::vector<std::pair<int, int>>{{0, 0}, {1, 1}, {2, 2}, {3, 3}}));
}

TEST(Channel, gives_what_was_sent_before_it_was_closed) {
  auto ends = weft::channel_pair<int, int>(4);
  auto& here = ends.first;
  auto& there = ends.second;
  there.send(7);
  here.send(1);
  here.send(2);
  here.close();
  here.close();
  EXPECT_TRUE(here.is_closed());
  EXPECT_TRUE(there.is_closed());
  EXPECT_THROW(here.send(3), weft::Closed);
  EXPECT_THROW(static_cast<void>(here.try_send(3)), weft::Closed);
  EXPECT_THROW(static_cast<void>(there.send_for(1h, 3)), weft::Closed);
  EXPECT_EQ(there.receive(), 1);
  EXPECT_EQ(there.try_receive(), 2);
  EXPECT_EQ(here.receive(), 7);
  EXPECT_THROW(there.receive(), weft::Closed);
  EXPECT_THROW(static_cast<void>(there.try_receive()), weft::Closed);
  EXPECT_THROW(static_cast<void>(there.receive_for(1h)), weft::Closed);
}

TEST(Channel, tells_those_who_wait_that_it_was_closed) {
  auto ends = weft::channel_pair<int, int>(1);
  auto& here = ends.first;
  auto& there = ends.second;
  here.send(1);
  int told = 0;
  const auto expect_closed = [&](auto wait) {
    return fiber{[&told, wait] {
      try {
        wait();
      } catch (const weft::Closed&) {
        ++told;
      }
    }};
  };
  fiber full = expect_closed([&] { here.send(2); });
  fiber full_with_deadline = expect_closed([&] { static_cast<void>(here.send_for(1h, 3)); });
  fiber empty = expect_closed([&] { here.receive(); });
  boost::this_fiber::yield();
  EXPECT_EQ(told, 0);
  std::jthread{[&] { there.close(); }}.join();
  full.join();
  full_with_deadline.join();
  empty.join();
  EXPECT_EQ(told, 3);
  EXPECT_EQ(there.receive(), 1);
  EXPECT_THROW(there.receive(), weft::Closed);
}

TEST(Channel, is_closed_when_an_end_goes) {
  auto ends = weft::channel_pair<std::string, int>(2);
  auto& here = ends.first;
  auto& there = ends.second;
  here.send("last words");
  fiber waiting{[&] {
    EXPECT_EQ(there.receive(), "last words");
    EXPECT_THROW(there.receive(), weft::Closed);
  }};
  boost::this_fiber::yield();
  here = {};
  EXPECT_FALSE(here.valid());
  waiting.join();
  EXPECT_TRUE(there.is_closed());
}

TEST(Channel, drops_what_nobody_received_when_both_ends_are_gone) {
  const auto watched = std::make_shared<int>(1);
  {
    auto ends = weft::channel_pair<std::shared_ptr<int>, int>(4);
    auto& here = ends.first;
    auto& there = ends.second;
    here.send(watched);
    here.send(watched);
    EXPECT_EQ(there.receive(), watched);
    EXPECT_EQ(watched.use_count(), 2);
  }
  EXPECT_EQ(watched.use_count(), 1);
}

TEST(Channel, calls_each_on_close_once) {
  auto ends = weft::channel_pair<int, int>(1);
  auto& here = ends.first;
  auto& there = ends.second;
  std::vector<int> called;
  here.on_close([&] { called.push_back(1); });
  there.on_close([&] {
    called.push_back(2);
    EXPECT_TRUE(there.is_closed());
    EXPECT_EQ(there.try_receive(), 5);
  });
  here.send(5);
  EXPECT_TRUE(called.empty());
  here = {};
  EXPECT_EQ(called, (std::vector{1, 2}));
  there.close();
  EXPECT_EQ(called, (std::vector{1, 2}));
  there.on_close([&] { called.push_back(3); });
  EXPECT_EQ(called, (std::vector{1, 2, 3}));
}

/// A value that cannot be moved at times.
struct Awkward {
  explicit Awkward(bool* when) : stuck{when} {}
  Awkward(const Awkward&) = delete;
  Awkward(Awkward&& other) : stuck{other.stuck} {
    if (*stuck) throw std::runtime_error{"stuck"};
  }
  bool* stuck;
};

TEST(Channel, survives_values_that_throw_when_they_are_moved) {
  bool stuck = true;
  auto ends = weft::channel_pair<Awkward, int>(1);
  auto& here = ends.first;
  auto& there = ends.second;
  Awkward value{&stuck};
  EXPECT_THROW(here.send(std::move(value)), std::runtime_error);
  stuck = false;
  here.send(std::move(value));
  EXPECT_FALSE(here.try_send(std::move(value)));
  stuck = true;
  EXPECT_THROW(static_cast<void>(there.try_receive()), std::runtime_error);
  stuck = false;
  EXPECT_TRUE(there.try_receive().has_value());
  EXPECT_TRUE(here.try_send(std::move(value)));
}

TEST(Sleep, suspends_only_the_fiber) {
  std::vector<int> woken;
  const auto start = std::chrono::steady_clock::now();
  std::vector<fiber> fibers;
  for (const int ms : {30, 10, 20}) {
    fibers.emplace_back([&, ms] {
      weft::sleep_until(start + std::chrono::milliseconds{ms});
      woken.push_back(ms);
      EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds{ms});
    });
  }
  weft::sleep_for(1ms);
  EXPECT_TRUE(woken.empty() || std::chrono::steady_clock::now() - start >= 10ms);
  for (auto& each : fibers) each.join();
  EXPECT_EQ(woken, (std::vector{10, 20, 30}));
}

TEST(Sleep, lets_other_fibers_run_though_its_time_has_passed) {
  bool ran = false;
  fiber other{[&] { ran = true; }};
  weft::sleep_for(-1s);
  EXPECT_TRUE(ran);
  other.join();
}

}  // namespace
