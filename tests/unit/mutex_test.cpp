#include "base/mutex.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace weft::base {
namespace {

TEST(Mutex, is_taken_by_one_at_a_time) {
  Mutex mutex;
  EXPECT_TRUE(mutex.try_lock());
  EXPECT_FALSE(mutex.try_lock());
  mutex.unlock();
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock_before_destruction();
  EXPECT_TRUE(mutex.try_lock());
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
