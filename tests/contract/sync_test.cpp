// How fibers and threads of one process keep out of each other's way.

#include <gtest/gtest.h>

#include <atomic>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/barrier.hpp>
#include <weft/mutex.hpp>
#include <weft/rate_limit.hpp>
#include <weft/semaphore.hpp>
#include <weft/sleep.hpp>

using namespace std::chrono_literals;
using boost::fibers::fiber;
using Clock = std::chrono::steady_clock;

namespace {

/// Runs `body(thread, fiber)` in so many fibers of each of so many threads.
template <class Body>
void in_fibers_of_threads(int threads, int fibers, Body body) {
  std::vector<std::jthread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([=] {
      std::vector<fiber> all;
      for (int f = 0; f < fibers; ++f) all.emplace_back([=] { body(t, f); });
      for (auto& each : all) each.join();
    });
  }
}

TEST(Mutex, is_held_across_suspensions_by_one_of_many_fibers_and_threads) {
  weft::Mutex mutex;
  int inside = 0;
  int count = 0;
  bool alone = true;
  in_fibers_of_threads(3, 4, [&](int, int) {
    for (int i = 0; i < 300; ++i) {
      const std::lock_guard guard{mutex};
      alone = alone && ++inside == 1;
      if (i % 8 == 0) boost::this_fiber::yield();
      if (i % 100 == 0) weft::sleep_for(50us);
      ++count;
      --inside;
    }
  });
  EXPECT_TRUE(alone);
  EXPECT_EQ(count, 3 * 4 * 300);
}

TEST(Mutex, goes_to_who_has_waited_longest) {
  weft::Mutex mutex;
  std::vector<int> order;
  std::unique_lock lock{mutex};
  std::vector<fiber> fibers;
  for (int f = 0; f < 5; ++f) {
    fibers.emplace_back([&, f] {
      const std::lock_guard guard{mutex};
      order.push_back(f);
    });
  }
  boost::this_fiber::yield();
  lock.unlock();
  // It is the first fiber's already, though that has not run yet.
  EXPECT_FALSE(mutex.try_lock());
  lock.lock();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
  lock.unlock();
  for (auto& each : fibers) each.join();
}

TEST(Mutex, is_given_up_at_a_deadline) {
  weft::Mutex mutex;
  std::unique_lock lock{mutex};
  std::jthread{[&] {
    EXPECT_FALSE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock_for(2ms));
    EXPECT_FALSE((std::unique_lock{mutex, Clock::now() + 2ms}));
    EXPECT_FALSE((std::unique_lock{mutex, Clock::now() - 1s}));
    EXPECT_FALSE((std::unique_lock{mutex, std::try_to_lock}));
  }}.join();
  lock.unlock();
  EXPECT_TRUE((std::unique_lock{mutex, 1h}));
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(Mutex, gets_past_those_who_gave_it_up) {
  weft::Mutex mutex;
  std::vector<int> order;
  std::unique_lock lock{mutex};
  fiber first{[&] { EXPECT_FALSE(mutex.try_lock_for(1ms)); }};
  fiber second{[&] {
    const std::lock_guard guard{mutex};
    order.push_back(2);
  }};
  first.join();
  lock.unlock();
  second.join();
  EXPECT_EQ(order, (std::vector{2}));
}

TEST(Mutex, is_neither_lost_nor_doubled_where_deadlines_and_unlocks_come_together) {
  weft::Mutex mutex;
  int held = 0;
  std::atomic<int> taken = 0;
  std::atomic<int> given_up = 0;
  in_fibers_of_threads(2, 3, [&](int t, int f) {
    for (int i = 0; i < 2'000; ++i) {
      if (!mutex.try_lock_for(std::chrono::microseconds{(i * 7 + t + f) % 40})) {
        ++given_up;
        continue;
      }
      EXPECT_EQ(++held, 1);
      if (i % 3 == 0) boost::this_fiber::yield();
      --held;
      ++taken;
      mutex.unlock();
    }
  });
  EXPECT_EQ(taken + given_up, 2 * 3 * 2'000);
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(Mutex, may_be_destroyed_by_whoever_takes_it_last) {
  for (int i = 0; i < 2'000; ++i) {
    auto mutex = std::make_unique<weft::Mutex>();
    mutex->lock();
    std::jthread other{[&] { mutex->unlock(); }};
    mutex->lock();
    mutex->unlock();
    mutex.reset();
  }
}

TEST(MutexDeathTest, aborts_when_nobody_holds_what_is_unlocked) {
  weft::Mutex mutex;
  EXPECT_DEATH(mutex.unlock(), "unlock of a weft::Mutex that nobody holds");
}

TEST(Semaphore, lets_so_many_in_at_a_time) {
  weft::Semaphore semaphore{3};
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  in_fibers_of_threads(2, 5, [&](int, int) {
    for (int i = 0; i < 100; ++i) {
      const auto permit = semaphore.acquire();
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      boost::this_fiber::yield();
      --inside;
    }
  });
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 2);
}

TEST(Semaphore, gives_permits_back_when_they_end) {
  weft::Semaphore semaphore{2};
  auto one = semaphore.try_acquire();
  ASSERT_TRUE(one);
  {
    const auto two = semaphore.try_acquire();
    ASSERT_TRUE(two);
    EXPECT_FALSE(semaphore.try_acquire());
    EXPECT_FALSE(semaphore.acquire_for(1ms));
    EXPECT_FALSE(semaphore.acquire_until(Clock::now() + 1ms));
  }
  EXPECT_TRUE(semaphore.acquire_for(1h));
  weft::Permit moved{std::move(one)};
  one = semaphore.try_acquire();
  EXPECT_TRUE(one);
  moved.release();
  moved.release();
  EXPECT_FALSE(moved);
  moved = std::move(one);
  EXPECT_TRUE(semaphore.try_acquire());
  moved = {};
  EXPECT_TRUE(semaphore.try_acquire(2));
}

TEST(Semaphore, refuses_more_than_there_are) {
  EXPECT_THROW(weft::Semaphore{0}, weft::ArgumentError);
  weft::Semaphore semaphore{2};
  EXPECT_THROW(static_cast<void>(semaphore.acquire(3)), weft::ArgumentError);
  EXPECT_THROW(static_cast<void>(semaphore.try_acquire(0)), weft::ArgumentError);
}

TEST(Semaphore, lets_nobody_overtake_who_wants_many_until_that_one_gives_up) {
  weft::Semaphore semaphore{3};
  auto held = semaphore.acquire(2);
  std::vector<std::string> order;
  fiber many{[&] {
    EXPECT_FALSE(semaphore.acquire_for(5ms, 3));
    order.emplace_back("many gave up");
  }};
  boost::this_fiber::yield();
  EXPECT_FALSE(semaphore.try_acquire());
  fiber few{[&] {
    const auto permit = semaphore.acquire();
    order.emplace_back("few");
  }};
  few.join();
  many.join();
  // Whose fiber runs first does not matter: the permit was free only once the first had given up.
  EXPECT_EQ(order.size(), 2U);
  held.release();
  EXPECT_TRUE(semaphore.try_acquire(3));
}

TEST(KeyedMutex, keeps_apart_those_who_name_the_same_key_alone) {
  weft::KeyedMutex mutex;
  auto a = mutex.lock("a");
  const auto b = mutex.try_lock("b");
  EXPECT_TRUE(b);
  EXPECT_FALSE(mutex.try_lock("a"));
  EXPECT_FALSE(mutex.try_lock_for(1ms, "a"));
  EXPECT_FALSE(mutex.try_lock_until(Clock::now() + 1ms, "a"));
  EXPECT_EQ(mutex.keys(), 2U);
  bool got = false;
  fiber waiting{[&] {
    const auto permit = mutex.lock("a");
    got = true;
  }};
  boost::this_fiber::yield();
  EXPECT_FALSE(got);
  a.release();
  waiting.join();
  EXPECT_TRUE(got);
  EXPECT_EQ(mutex.keys(), 1U);
  // README.md has this as a sample.
  got = false;
  if (auto permit = mutex.try_lock_for(1s, "photo.jpg")) got = true;
  EXPECT_TRUE(got);
}

TEST(KeyedSemaphore, keeps_nothing_of_keys_that_nobody_uses) {
  weft::KeyedSemaphore semaphore{2};
  EXPECT_THROW(weft::KeyedSemaphore{0}, weft::ArgumentError);
  std::atomic<bool> too_many = false;
  std::vector<std::atomic<int>> inside(5);
  in_fibers_of_threads(2, 4, [&](int t, int f) {
    for (int i = 0; i < 400; ++i) {
      const auto key = static_cast<std::size_t>(i * 7 + t + f) % inside.size();
      const auto permit = i % 4 == 0 ? semaphore.acquire_for(30us, std::to_string(key))
                                     : semaphore.acquire(std::to_string(key));
      if (!permit) continue;
      if (++inside[key] > 2) too_many = true;
      if (i % 3 == 0) boost::this_fiber::yield();
      --inside[key];
    }
  });
  EXPECT_FALSE(too_many);
  EXPECT_EQ(semaphore.keys(), 0U);
}

TEST(RateLimit, gives_those_of_one_interval_at_once_and_then_evenly) {
  weft::RateLimit limit{4, 40ms};
  const auto start = Clock::now();
  EXPECT_TRUE(limit.try_acquire(3));
  EXPECT_TRUE(limit.try_acquire());
  std::vector<int> order;
  std::vector<fiber> fibers;
  for (int f = 0; f < 4; ++f) {
    fibers.emplace_back([&, f] {
      limit.acquire();
      order.push_back(f);
      EXPECT_GE(Clock::now() - start, (f + 1) * 10ms);
    });
  }
  for (auto& each : fibers) each.join();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
}

TEST(RateLimit, says_at_once_that_a_turn_comes_too_late) {
  weft::RateLimit limit{1, 1h};
  EXPECT_TRUE(limit.try_acquire());
  EXPECT_FALSE(limit.try_acquire());
  EXPECT_FALSE(limit.acquire_for(30min));
  EXPECT_FALSE(limit.acquire_until(Clock::now() + 30min));
  EXPECT_THROW(limit.acquire(2), weft::ArgumentError);
  EXPECT_THROW(limit.acquire(0), weft::ArgumentError);
  EXPECT_THROW(weft::RateLimit(0, 1s), weft::ArgumentError);
  EXPECT_THROW(weft::RateLimit(1, 0s), weft::ArgumentError);
  EXPECT_THROW(weft::RateLimit(1001, 1us), weft::ArgumentError);
}

TEST(RateLimit, never_gives_more_than_its_bucket_and_what_fills_it) {
  weft::RateLimit limit{100, 10ms};
  std::atomic<int> count = 0;
  const auto start = Clock::now();
  in_fibers_of_threads(2, 3, [&](int, int) {
    for (int i = 0; i < 50; ++i) {
      limit.acquire();
      ++count;
    }
  });
  EXPECT_EQ(count, 300);
  // The last of them cannot come before 200 more than the bucket holds have filled it.
  EXPECT_GE(Clock::now() - start, 20ms);
}

TEST(Barrier, lets_all_go_on_when_the_last_has_come_over_and_over) {
  constexpr int kRounds = 200;
  weft::Barrier barrier{6};
  std::atomic<int> arrived = 0;
  std::atomic<int> early = 0;
  in_fibers_of_threads(2, 3, [&](int, int) {
    for (int round = 1; round <= kRounds; ++round) {
      ++arrived;
      barrier.arrive_and_wait();
      if (arrived < round * 6) ++early;
      barrier.arrive_and_wait();
    }
  });
  EXPECT_EQ(early, 0);
  EXPECT_EQ(arrived, kRounds * 6);
}

TEST(Barrier, forgets_who_gave_up_and_who_has_left) {
  EXPECT_THROW(weft::Barrier{0}, weft::ArgumentError);
  weft::Barrier barrier{2};
  EXPECT_FALSE(barrier.arrive_and_wait_for(1ms));
  EXPECT_FALSE(barrier.arrive_and_wait_until(Clock::now() + 1ms));
  bool passed = false;
  fiber waiting{[&] {
    barrier.arrive_and_wait();
    passed = true;
  }};
  boost::this_fiber::yield();
  EXPECT_FALSE(passed);
  barrier.drop();
  waiting.join();
  EXPECT_TRUE(barrier.arrive_and_wait_for(0ns));
}

TEST(BarrierDeathTest, aborts_when_nobody_is_left_to_leave) {
  weft::Barrier barrier{1};
  barrier.drop();
  EXPECT_DEATH(barrier.drop(), "waits at it or has left");
}

}  // namespace
