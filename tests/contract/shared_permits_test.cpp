// Permits, barriers and rates that a program and its workers share.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/shared_tasks.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// What holders of a semaphore's permits see of each other.
struct Inside {
  int now = 0;
  int most = 0;
};

void use_permits(shared::Semaphore semaphore, Parcel<Inside> inside, int times, int each) {
  for (int i = 0; i < times; ++i) {
    const auto permit = semaphore.acquire(static_cast<std::size_t>(each));
    inside.synchronized([&](Inside& those) { those.most = std::max(those.most, those.now += each); });
    inside.synchronized([&](Inside& those) { those.now -= each; });
  }
}

TEST(SharedSemaphore, gives_no_more_permits_than_it_has_to_all_processes_together) {
  Pool pool{{.limit = 4}};
  shared::Semaphore semaphore{3};
  Parcel<Inside> inside;
  std::vector<Execution<void>> all;
  for (int worker = 0; worker < 4; ++worker)
    all.push_back(pool.submit<use_permits>(semaphore, inside, 100, worker % 2 + 1));
  use_permits(semaphore, inside, 100, 1);
  for (auto& each : all) each.get();
  EXPECT_LE(inside.unwrap().most, 3);
  EXPECT_EQ(inside.unwrap().now, 0);
  EXPECT_TRUE(semaphore.try_acquire(3));
}

TEST(SharedSemaphore, refuses_what_it_will_never_have) {
  Worker worker;
  EXPECT_THROW(shared::Semaphore{0}, ArgumentError);
  shared::Semaphore semaphore{2};
  EXPECT_THROW(static_cast<void>(semaphore.acquire(3)), ArgumentError);
  for (const std::size_t count : {std::size_t{0}, std::size_t{3}, std::size_t{1} << 40}) {
    EXPECT_TRUE(worker
                    .submit(
                        [](shared::Semaphore its, std::size_t many) {
                          try {
                            const auto permit = its.acquire(many);
                            return false;
                          } catch (const ArgumentError&) {
                            return true;
                          }
                        },
                        semaphore, count)
                    .get());
  }
  EXPECT_TRUE(semaphore.try_acquire(2));
}

bool has_key(shared::KeyedMutex mutex, std::string key) { return static_cast<bool>(mutex.try_lock(key)); }
bool has_one_of(shared::KeyedSemaphore semaphore, std::string key) {
  return static_cast<bool>(semaphore.try_acquire(key));
}

TEST(SharedKeyedMutex, is_a_mutex_for_each_key) {
  Worker worker;
  shared::KeyedMutex mutex;
  auto permit = mutex.lock("a");
  EXPECT_FALSE(worker.submit<has_key>(mutex, "a").get());
  EXPECT_TRUE(worker.submit<has_key>(mutex, "b").get());
  permit.release();
  EXPECT_TRUE(worker.submit<has_key>(mutex, "a").get());
  EXPECT_TRUE(worker.submit<has_key>(mutex, std::string(1024, 'k')).get());
  EXPECT_THROW(static_cast<void>(mutex.lock(std::string(1025, 'k'))), ArgumentError);
}

TEST(SharedKeyedSemaphore, has_so_many_permits_for_each_key) {
  Worker worker;
  shared::KeyedSemaphore semaphore{2};
  auto one = semaphore.acquire("a");
  EXPECT_TRUE(worker.submit<has_one_of>(semaphore, "a").get());
  const auto another = semaphore.acquire("a");
  EXPECT_FALSE(worker.submit<has_one_of>(semaphore, "a").get());
  shared::Permit moved{std::move(one)};
  EXPECT_FALSE(one);
  one = std::move(moved);
  EXPECT_FALSE(semaphore.acquire_for(1ms, "a"));
  one.release();
  EXPECT_TRUE(worker.submit<has_one_of>(semaphore, "a").get());
}

/// Counts of those that did not find everybody there after the barrier.
int meet(shared::Barrier barrier, Parcel<int> arrivals, int rounds, int count) {
  int wrong = 0;
  for (int round = 1; round <= rounds; ++round) {
    arrivals.synchronized([](int& all) { ++all; });
    barrier.arrive_and_wait();
    if (arrivals.unwrap() != round * count) ++wrong;
    barrier.arrive_and_wait();
  }
  return wrong;
}

TEST(SharedBarrier, lets_nobody_on_before_all_have_arrived_round_after_round) {
  Pool pool{{.limit = 3}};
  shared::Barrier barrier{4};
  Parcel<int> arrivals;
  std::vector<Execution<int>> all;
  for (int worker = 0; worker < 3; ++worker) all.push_back(pool.submit<meet>(barrier, arrivals, 50, 4));
  EXPECT_EQ(meet(barrier, arrivals, 50, 4), 0);
  for (auto& each : all) EXPECT_EQ(each.get(), 0);
}

TEST(SharedBarrier, does_not_count_who_gave_up_or_left) {
  Worker worker;
  shared::Barrier barrier{2};
  EXPECT_FALSE(
      worker.submit([](shared::Barrier its) { return its.arrive_and_wait_for(5ms); }, barrier).get());
  EXPECT_FALSE(barrier.arrive_and_wait_for(1ms)) << "the worker has not arrived";
  shared::Barrier met{2};
  auto left = worker.submit(
      [](shared::Barrier its, shared::Barrier meeting) {
        its.drop();
        meeting.arrive_and_wait();
      },
      barrier, met);
  met.arrive_and_wait();
  left.get();
  EXPECT_TRUE(barrier.arrive_and_wait_for(600s));
}

TEST(SharedRateLimit, gives_all_processes_together_no_more_than_its_rate) {
  Pool pool{{.limit = 3}};
  shared::RateLimit limit{5, 50ms};
  const auto before = Clock::now();
  std::vector<Execution<void>> all;
  for (int worker = 0; worker < 3; ++worker) {
    all.push_back(pool.submit(
        [](shared::RateLimit its) {
          for (int i = 0; i < 8; ++i) its.acquire();
        },
        limit));
  }
  for (auto& each : all) each.get();
  limit.acquire();
  // The first five come at once, twenty more in 200 ms.
  EXPECT_GE(Clock::now() - before, 200ms);
}

TEST(SharedRateLimit, uses_nothing_where_the_turn_does_not_come_in_time) {
  Worker worker;
  shared::RateLimit limit{1, 1h};
  EXPECT_TRUE(limit.try_acquire());
  EXPECT_FALSE(worker.submit([](shared::RateLimit its) { return its.try_acquire(); }, limit).get());
  EXPECT_FALSE(worker.submit([](shared::RateLimit its) { return its.acquire_for(1s); }, limit).get());
  EXPECT_THROW(limit.acquire(2), ArgumentError);
  EXPECT_THROW((shared::RateLimit{0, 1s}), ArgumentError);
}

}  // namespace
}  // namespace weft::contract
