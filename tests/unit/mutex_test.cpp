#include "base/mutex.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace weft::base {
namespace {

TEST(Mutex, is_taken_by_one_at_a_time) {
  Mutex mutex;
  mutex.lock();
  mutex.unlock();
  mutex.lock();
  mutex.unlock_before_destruction();
  mutex.lock();
  EXPECT_FALSE(mutex.contended());
  mutex.unlock();
}

TEST(Mutex, guards_what_many_threads_change) {
  Mutex mutex;
  std::uint64_t count = 0;
  constexpr int kThreads = 4;
  constexpr int kRounds = 30'000;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < kRounds; ++round) {
          const std::lock_guard guard{mutex};
          ++count;
        }
      });
    }
  }
  EXPECT_EQ(count, std::uint64_t{kThreads} * kRounds);
}

TEST(Mutex, guards_what_a_thread_with_a_seat_and_others_change) {
  Mutex mutex;
  std::uint64_t count = 0;
  std::uint64_t expected = 0;
  const auto work = [&](std::uint32_t rounds) {
    for (std::uint32_t round = 0; round < rounds; ++round) {
      const std::lock_guard guard{mutex};
      ++count;
    }
  };
  // More threads in turn than there are seats; each is given its own, is disturbed, and comes back.
  for (int turn = 0; turn < 6; ++turn) {
    std::jthread{[&] {
      for (int again = 0; again < 20; ++again) {
        work(Mutex::kRowForSeat * 2);
        std::jthread other{work, 3};
        work(Mutex::kRowForSeat * 4);
      }
    }}.join();
    expected += 20 * (Mutex::kRowForSeat * 6 + 3);
  }
  EXPECT_EQ(count, expected);
}

TEST(Mutex, wakes_whoever_sleeps_for_a_thread_with_a_seat) {
  Mutex mutex;
  for (int round = 0; round < 20; ++round) {
    for (std::uint32_t i = 0; i < Mutex::kRowForSeat + 2; ++i) {
      mutex.lock();
      mutex.unlock();
    }
    bool entered = false;
    mutex.lock();
    std::jthread other{[&] {
      const std::lock_guard guard{mutex};
      entered = true;
    }};
    while (!mutex.contended()) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    EXPECT_FALSE(entered);
    mutex.unlock();
    other.join();
    EXPECT_TRUE(entered);
    EXPECT_FALSE(mutex.contended());
  }
}

TEST(Mutex, wakes_whoever_sleeps_for_it) {
  Mutex mutex;
  for (int round = 0; round < 50; ++round) {
    bool entered = false;
    mutex.lock();
    std::jthread other{[&] {
      const std::lock_guard guard{mutex};
      entered = true;
    }};
    while (!mutex.contended()) std::this_thread::yield();
    EXPECT_FALSE(entered);
    mutex.unlock();
    other.join();
    EXPECT_TRUE(entered);
    EXPECT_FALSE(mutex.contended());
  }
}

TEST(Mutex, passes_on_to_all_who_wait) {
  Mutex mutex;
  int entered = 0;
  mutex.lock();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      const std::lock_guard guard{mutex};
      ++entered;
    });
  }
  while (!mutex.contended()) std::this_thread::yield();
  mutex.unlock();
  threads.clear();
  EXPECT_EQ(entered, 3);
}

}  // namespace
}  // namespace weft::base
