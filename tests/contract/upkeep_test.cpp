// When a pool replaces a worker that still runs, and what it knows of the times of its tasks.

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

std::int64_t own_pid() { return ::getpid(); }
void nap(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds{ms}); }
void gather(std::size_t bytes) {
  static std::vector<char> gathered;
  gathered.assign(bytes, 'x');
}

/// Asks for its pid until that is another.
void until_replaced(weft::Pool& pool, std::int64_t pid) {
  while (pool.submit<own_pid>().get() == pid) std::this_thread::sleep_for(1ms);
}

TEST(Recycling, comes_with_age) {
  weft::Pool pool{{.limit = 1, .worker_age = 100ms}};
  const auto begin = std::chrono::steady_clock::now();
  const std::int64_t first = pool.submit<own_pid>().get();
  auto old = pool.submit<nap>(200);
  auto waits = pool.submit<own_pid>();
  old.get();
  EXPECT_NE(waits.get(), first) << "it was old when the nap ended";
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 100ms);
  const weft::PoolStatus status = pool.status();
  EXPECT_EQ(status.workers_recycled, 1U);
  EXPECT_NE(status.last_recycled.find(std::to_string(first)), std::string::npos) << status.last_recycled;
  EXPECT_NE(status.last_recycled.find("100 ms (PoolOptions::worker_age)"), std::string::npos)
      << status.last_recycled;
  EXPECT_EQ(status.workers_lost, 0U) << "it was asked to";
}

TEST(Recycling, comes_with_memory) {
  weft::Pool pool{{.limit = 1, .worker_memory_bytes = 50'000'000}};
  const std::int64_t first = pool.submit<own_pid>().get();
  pool.submit<gather>(std::size_t{100'000'000}).get();
  until_replaced(pool, first);
  const weft::PoolStatus status = pool.status();
  EXPECT_EQ(status.workers_recycled, 1U);
  EXPECT_NE(status.last_recycled.find("PoolOptions::worker_memory_bytes"), std::string::npos)
      << status.last_recycled;
}

TEST(Recycling, comes_with_tasks) {
  weft::Pool pool{{.limit = 1, .tasks_per_worker = 3}};
  const std::int64_t first = pool.submit<own_pid>().get();
  EXPECT_EQ(pool.submit<own_pid>().get(), first);
  EXPECT_EQ(pool.submit<own_pid>().get(), first);
  EXPECT_NE(pool.submit<own_pid>().get(), first);
  EXPECT_NE(pool.status().last_recycled.find("it had done 3 tasks"), std::string::npos);
}

TEST(Recycling, refuses_a_negative_age) {
  EXPECT_THROW((weft::Pool{{.worker_age = -1s}}), weft::ArgumentError);
}

/// Returns when ten tasks of this worker have come so far.
void meet_nine_others() {
  static weft::Barrier barrier{10};
  static_cast<void>(barrier.arrive_and_wait());
}

TEST(AtOnce, run_all_tasks_of_a_worker_that_suspend) {
  weft::Worker worker;
  std::vector<weft::Execution<void>> all;
  for (int i = 0; i < 10; ++i) all.push_back(worker.submit<meet_nine_others>());
  for (auto& each : all) each.get();
}

TEST(AtOnce, run_as_many_as_a_pool_is_told) {
  weft::Pool pool{{.limit = 1, .worker = {.tasks_at_once = 10}}};
  std::vector<weft::Execution<void>> all;
  for (int i = 0; i < 10; ++i) all.push_back(pool.submit<meet_nine_others>());
  for (auto& each : all) each.get();
}

int identity(int number) { return number; }

/// A pool whose only worker sleeps, with a queue of two, which is full: of 1 and 2.
class FullQueue {
 public:
  explicit FullQueue(weft::OnFull on_full) : pool{{.limit = 1, .queue_limit = 2, .on_full = on_full}} {
    asleep = pool.submit<nap>(100);
    while (pool.status().running == 0) std::this_thread::yield();
    one = pool.submit<identity>(1);
    two = pool.submit<identity>(2);
  }
  weft::Pool pool;
  weft::Execution<void> asleep;
  weft::Execution<int> one;
  weft::Execution<int> two;
};

TEST(Queue, that_is_full_can_drop_the_oldest) {
  FullQueue full{weft::OnFull::drop_oldest};
  EXPECT_TRUE(full.pool.needs_drain());
  auto three = full.pool.submit<identity>(3);
  EXPECT_TRUE(full.one.ready());
  EXPECT_THROW(full.one.get(), weft::QueueFull);
  EXPECT_EQ(full.two.get(), 2);
  EXPECT_EQ(three.get(), 3);
}

TEST(Queue, that_is_full_drops_what_matters_least) {
  FullQueue full{weft::OnFull::drop_oldest};
  EXPECT_TRUE(full.one.cancel());
  auto urgent = full.pool.with({.priority = weft::Priority::high}).submit<identity>(3);
  auto newest = full.pool.submit<identity>(4);
  EXPECT_THROW(full.two.get(), weft::QueueFull);
  EXPECT_EQ(urgent.get(), 3);
  EXPECT_EQ(newest.get(), 4);
}

TEST(Queue, that_is_full_drains) {
  FullQueue full{weft::OnFull::reject};
  EXPECT_THROW(static_cast<void>(full.pool.submit<identity>(3)), weft::QueueFull);
  EXPECT_TRUE(full.pool.needs_drain());
  full.pool.drain();
  EXPECT_FALSE(full.pool.needs_drain());
  EXPECT_TRUE(full.asleep.ready());
  EXPECT_EQ(full.pool.submit<identity>(3).get(), 3);
}

TEST(Times, are_those_of_waiting_and_of_running) {
  weft::Pool pool{{.limit = 1, .measure_times = true}};
  pool.submit<own_pid>().get();
  std::vector<weft::Execution<void>> naps;
  for (int i = 0; i < 4; ++i) naps.push_back(pool.with({.priority = weft::Priority::high}).submit<nap>(20));
  for (auto& each : naps) each.get();
  const weft::PoolStatus status = pool.status();
  EXPECT_EQ(status.run_times.count(), 5U);
  EXPECT_EQ(status.wait_times.count(), 5U);
  EXPECT_GE(status.run_times.percentile(50), 20ms);
  EXPECT_LT(status.run_times.percentile(20), 20ms) << "the one that does nothing";
  EXPECT_GE(status.wait_times.max(), 60ms) << "the last nap waited for three";
}

TEST(Times, are_not_measured_unasked) {
  weft::Pool pool{{.limit = 1}};
  pool.submit<own_pid>().get();
  EXPECT_EQ(pool.status().run_times.count(), 0U);
}

}  // namespace
