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
