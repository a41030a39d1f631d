// Channels and locks between many threads, under ThreadSanitizer: without fibers (plain/fiber/reactor.hpp says why).

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/barrier.hpp>
#include <weft/channel.hpp>
#include <weft/detail/watchable.hpp>
#include <weft/mutex.hpp>
#include <weft/rate_limit.hpp>
#include <weft/semaphore.hpp>

using namespace std::chrono_literals;

namespace {

template <class Body>
void in_threads(int count, Body body) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([=] { body(t); });
}

std::chrono::microseconds some_time(int seed) { return std::chrono::microseconds{seed * 7 % 60}; }

TEST(SyncThreads, values_come_in_order_and_whole_and_are_let_go_of) {
  static constexpr int kValues = 10'000;
  auto ends = weft::channel_pair<std::unique_ptr<int>, std::string>(8);
  std::jthread there{[end = std::move(ends.second)]() mutable {
    for (int i = 0; i < kValues; ++i) {
      EXPECT_EQ(*end.receive(), i);
      if (i % 2 == 0) end.send(std::to_string(i));
    }
  }};
  std::jthread sender{[&] {
    for (int i = 0; i < kValues; ++i) ends.first.send(std::make_unique<int>(i));
  }};
  for (int i = 0; i < kValues; i += 2) EXPECT_EQ(ends.first.receive(), std::to_string(i));
}

TEST(SyncThreads, nothing_is_lost_where_deadlines_values_and_closing_come_together) {
  for (int round = 0; round < 20; ++round) {
    auto ends = weft::channel_pair<int, int>(2);
    std::atomic<int> sent = 0;
    std::atomic<int> received = 0;
    std::atomic<int> closings = 0;
    ends.first.on_close([&] { ++closings; });
    ends.second.on_close([&] { ++closings; });
    in_threads(5, [&, round](int t) {
      try {
        for (int i = 0;; ++i) {
          if (t < 2) {
            sent += ends.first.send_for(some_time(i + t), i) ? 1 : 0;
          } else {
            received += ends.second.receive_for(some_time(i + t)) ? 1 : 0;
          }
          if (t == 0 && sent > 50 * round) ends.second.close();
        }
      } catch (const weft::Closed&) {  // and all was received
      }
    });
    EXPECT_EQ(sent, received);
    EXPECT_EQ(closings, 2);
  }
}

TEST(SyncThreads, select_misses_nothing) {
  static constexpr int kValues = 2'000;
  auto a = weft::channel_pair<int, int>(2);
  auto b = weft::channel_pair<int, int>(2);
  std::atomic<int> received = 0;
  in_threads(4, [&](int t) {
    if (t < 2) {
      for (int i = 0; i < kValues; ++i) (t == 0 ? a : b).first.send(i);
      return;
    }
    const std::array<weft::detail::Watchable*, 2> both{&watch_of(a.second), &watch_of(b.second)};
    while (received < 2 * kValues) {
      const auto deadline = t == 2 ? weft::detail::deadline_after(50us) : weft::detail::deadline_after(1ms);
      const auto selected = weft::detail::wait_for_any(both, deadline);
      if (selected.waited != weft::detail::Waited::came) continue;
      received += (selected.index == 0 ? a : b).second.try_receive() ? 1 : 0;
    }
  });
  EXPECT_EQ(received, 2 * kValues);
}

TEST(SyncThreads, a_mutex_guards_what_threads_change_whose_deadlines_pass) {
  weft::Mutex mutex;
  std::int64_t count = 0;
  std::atomic<std::int64_t> taken = 0;
  in_threads(4, [&](int t) {
    for (int i = 0; i < 3'000; ++i) {
      if (t % 2 == 0) {
        mutex.lock();
      } else if (!mutex.try_lock_for(some_time(i + t))) {
        continue;
      }
      ++count;
      ++taken;
      mutex.unlock();
    }
  });
  EXPECT_EQ(count, taken);
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(SyncThreads, a_mutex_may_be_destroyed_by_whoever_takes_it_last) {
  for (int i = 0; i < 500; ++i) {
    auto mutex = std::make_unique<weft::Mutex>();
    mutex->lock();
    std::jthread other{[&mutex = *mutex] { mutex.unlock(); }};
    mutex->lock();
    mutex->unlock();
    mutex.reset();
  }
}

TEST(SyncThreads, permits_are_neither_lost_nor_doubled) {
  weft::Semaphore semaphore{3};
  weft::KeyedSemaphore keyed{2};
  std::atomic<std::size_t> inside = 0;
  std::array<std::atomic<int>, 3> inside_key{};
  std::atomic<bool> too_many = false;
  in_threads(5, [&](int t) {
    for (int i = 0; i < 1'500; ++i) {
      const std::size_t wanted = 1 + static_cast<std::size_t>(i + t) % 3;
      if (auto permit = semaphore.acquire_for(some_time(i), wanted)) {
        if ((inside += wanted) > 3) too_many = true;
        inside -= wanted;
      }
      const auto key = static_cast<std::size_t>(i + t) % inside_key.size();
      if (const auto permit = keyed.acquire_for(some_time(i), std::to_string(key))) {
        if (++inside_key[key] > 2) too_many = true;
        --inside_key[key];
      }
    }
  });
  EXPECT_FALSE(too_many);
  EXPECT_TRUE(semaphore.try_acquire(3));
  EXPECT_EQ(keyed.keys(), 0U);
}

TEST(SyncThreads, a_barrier_lets_nobody_through_early) {
  static constexpr int kThreads = 4;
  static constexpr int kRounds = 500;
  weft::Barrier barrier{kThreads};
  std::array<int, kThreads> rounds{};  // each written by its thread, read by all between two barriers
  std::atomic<int> wrong = 0;
  in_threads(kThreads, [&](int t) {
    for (int round = 1; round <= kRounds; ++round) {
      rounds[static_cast<std::size_t>(t)] = round;
      while (!barrier.arrive_and_wait_for(some_time(round + t))) {
      }
      for (const int each : rounds) wrong += each == round ? 0 : 1;
      barrier.arrive_and_wait();
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(SyncThreads, a_rate_limit_gives_each_turn_to_one) {
  weft::RateLimit limit{10, 1ms};
  const auto start = std::chrono::steady_clock::now();
  in_threads(3, [&](int) {
    for (int i = 0; i < 30; ++i) limit.acquire();
  });
  EXPECT_GE(std::chrono::steady_clock::now() - start, 8ms);
}

}  // namespace
