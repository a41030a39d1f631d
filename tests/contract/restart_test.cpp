// A pool that replaces its workers while it goes on, one that stops early, and what a pool and a worker both tell of
// themselves.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"
#include "contract/kinds.hpp"
#include "contract/marks.hpp"
#include "crash/scratch.hpp"

using namespace std::chrono_literals;
using weft::contract::behind;
using weft::contract::Gate;
using weft::contract::kAllKinds;
using weft::contract::kKindNamed;
using weft::contract::kKindsApart;
using weft::contract::kKindsBeside;

namespace {

int identity(int number) { return number; }
std::int64_t own_pid() { return ::getpid(); }
void nap(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds{ms}); }

std::set<std::int64_t> pids_of(const weft::Pool& pool) {
  const std::vector<std::int64_t> pids = pool.status().pids;
  return {pids.begin(), pids.end()};
}
void until_there_are(const weft::Pool& pool, std::size_t count) {
  while (pids_of(pool).size() < count) std::this_thread::sleep_for(1ms);
}

class Restart : public testing::TestWithParam<weft::WorkerKind> {
 protected:
  [[nodiscard]] static weft::PoolOptions of(std::size_t limit) {
    return {.limit = limit, .minimum = limit, .worker = {.kind = GetParam()}};
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, Restart, testing::ValuesIn(kKindsApart), kKindNamed);

TEST_P(Restart, keeps_all_workers_but_one_under_load) {
  constexpr std::size_t kWorkers = 4;
  weft::Pool pool{of(kWorkers)};
  until_there_are(pool, kWorkers);
  const std::set<std::int64_t> before = pids_of(pool);
  std::atomic<bool> done{false};
  std::jthread load{[&] {
    while (!done) {
      std::vector<weft::Execution<void>> all;
      for (int i = 0; i < 40; ++i) all.push_back(pool.submit<nap>(1));
      for (auto& each : all) each.get();
    }
  }};
  pool.restart();
  std::size_t fewest = kWorkers;
  bool any_left = true;
  while (any_left || pids_of(pool).size() < kWorkers) {
    const std::set<std::int64_t> now = pids_of(pool);
    fewest = std::min(fewest, now.size());
    any_left = std::any_of(now.begin(), now.end(), [&](std::int64_t pid) { return before.contains(pid); });
  }
  done = true;
  load.join();
  EXPECT_EQ(fewest, kWorkers - 1) << "capacity while it was under way";
  const weft::PoolStatus status = pool.status();
  EXPECT_EQ(status.workers_outdated, 0U);
  EXPECT_EQ(status.workers_lost, 0U);
  EXPECT_EQ(status.failed, 0U);
}

TEST_P(Restart, replaces_workers_that_have_nothing_to_do_too) {
  weft::Pool pool{of(3)};
  until_there_are(pool, 3);
  const std::set<std::int64_t> before = pids_of(pool);
  pool.restart();
  EXPECT_GE(pool.status().workers_outdated, 1U) << "not all at once";
  while (pool.status().workers_outdated != 0) std::this_thread::sleep_for(1ms);
  until_there_are(pool, 3);
  for (const std::int64_t pid : pids_of(pool)) EXPECT_FALSE(before.contains(pid));
}

TEST_P(Restart, leaves_a_busy_worker_its_task_and_gives_it_no_other) {
  weft::Pool pool{of(2)};
  until_there_are(pool, 2);
  const Gate gate;
  auto busy = pool.submit<behind>(gate.path(), 7);
  while (pool.status().workers_busy != 1) std::this_thread::yield();
  pool.restart();
  // The idle one was first; then the busy one goes, as soon as it can.
  while (pool.status().workers_outdated != 0) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  gate.open();
  EXPECT_EQ(busy.get(), 7);
  until_there_are(pool, 2);
}

TEST_P(Restart, that_is_asked_for_again_meanwhile_comes_to_an_end) {
  weft::Pool pool{of(3)};
  until_there_are(pool, 3);
  for (int i = 0; i < 5; ++i) {
    pool.restart();
    EXPECT_EQ(pool.submit<identity>(i).get(), i);
  }
  pool.resize(2);
  while (pool.status().workers_outdated != 0) std::this_thread::sleep_for(1ms);
  until_there_are(pool, 2);
  pool.restart();
  pool.shutdown();
}

void fail_once_marked() {
  const char* const file = std::getenv("WEFT_TEST_MARK");
  if (file == nullptr || ::access(file, F_OK) == 0) throw std::runtime_error{"not any more"};
}

TEST(RestartOfExec, leaves_the_workers_that_are_there_where_no_others_start) {
  const weft::crash::Scratch scratch;
  const std::string file = scratch.file("broken");
  weft::PoolOptions options{.limit = 3, .minimum = 3};
  options.worker.initializer = weft::initializer<fail_once_marked>;
  options.worker.environment = {{"WEFT_TEST_MARK=" + file}};
  weft::Pool pool{options};
  until_there_are(pool, 3);
  const std::set<std::int64_t> before = pids_of(pool);
  append(file, 'x');
  pool.restart();
  while (pool.status().workers_outdated != 0) std::this_thread::sleep_for(1ms);
  const std::set<std::int64_t> after = pids_of(pool);
  EXPECT_EQ(after.size(), 2U) << "one was tried";
  for (const std::int64_t pid : after) EXPECT_TRUE(before.contains(pid));
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
}

/// The zygote has as many descriptors then as it may have; a copy needs more.
void let_copies_fail_once_marked() {
  const char* const file = std::getenv("WEFT_TEST_MARK");
  if (file != nullptr && ::access(file, F_OK) != 0) return;
  while (::dup(0) < 28) {
  }
}

TEST(RestartOfZygote, leaves_the_workers_that_are_there_where_no_copies_start) {
  const weft::crash::Scratch scratch;
  const std::string file = scratch.file("broken");
  weft::PoolOptions options{.limit = 3, .minimum = 3, .worker = {.kind = weft::WorkerKind::zygote}};
  options.worker.limits.open_files = 32;
  options.worker.initializer = weft::initializer<let_copies_fail_once_marked>;
  options.worker.environment = {{"WEFT_TEST_MARK=" + file}};
  weft::Pool pool{options};
  until_there_are(pool, 3);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(pool.submit<identity>(i).get(), i);
  const std::set<std::int64_t> before = pids_of(pool);
  append(file, 'x');
  pool.restart();
  while (pool.status().workers_outdated != 0) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  std::size_t left = 0;
  for (const std::int64_t pid : pids_of(pool)) left += before.contains(pid) ? 1 : 0;
  EXPECT_EQ(left, 2U) << "one was tried";
}

std::string version;
void read_version() { std::getline(std::ifstream{std::getenv("WEFT_TEST_MARK")}, version); }
std::string own_version() { return version; }

// Those that are on their way are as of before, too.
TEST_P(Restart, replaces_what_is_just_being_started) {
  const weft::crash::Scratch scratch;
  const std::string file = scratch.file("version");
  std::ofstream{file} << "old";
  weft::PoolOptions options = of(4);
  options.worker.initializer = weft::initializer<read_version>;
  options.worker.environment = {{"WEFT_TEST_MARK=" + file}};
  for (int round = 0; round < 20; ++round) {
    std::ofstream{file} << "old";
    weft::Pool pool{options};
    std::vector<weft::Execution<void>> load;
    for (int i = 0; i < 8; ++i) load.push_back(pool.submit<nap>(1));
    if (round % 2 == 0) load.front().wait();
    std::this_thread::sleep_for(std::chrono::microseconds{200 * round});
    std::ofstream{file} << "new";
    pool.restart();
    while (pool.status().workers_outdated != 0) std::this_thread::sleep_for(1ms);
    until_there_are(pool, 4);
    while (pool.status().workers_outdated != 0) std::this_thread::sleep_for(1ms);
    for (auto& each : load) each.get();
    for (auto& each : pool.broadcast<own_version>()) EXPECT_EQ(each.get(), "new") << round;
  }
}

// Stopping early.

class StopEarly : public testing::TestWithParam<weft::WorkerKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, StopEarly, testing::ValuesIn(kKindsBeside), kKindNamed);

TEST_P(StopEarly, drops_what_waits_and_lets_finish_what_runs) {
  weft::Pool pool{{.limit = 2, .worker = {.kind = GetParam()}}};
  const Gate gates[2];
  auto one = pool.submit<weft::contract::told_behind>(gates[0].path(), 1);
  auto two = pool.submit<weft::contract::told_behind>(gates[1].path(), 2);
  weft::contract::until_begun(one);
  weft::contract::until_begun(two);
  std::vector<weft::Execution<int>> behind_them;
  for (int i = 0; i < 100; ++i) behind_them.push_back(pool.submit<identity>(i));
  EXPECT_TRUE(pool.is_running());
  pool.stop();
  EXPECT_FALSE(pool.is_running());
  for (auto& each : behind_them) {
    try {
      each.get();
      ADD_FAILURE() << "it ran";
    } catch (const weft::Closed& error) {
      EXPECT_STREQ(error.what(), "the pool was stopped");
      EXPECT_FALSE(error.verdict().may_have_run);
    }
  }
  EXPECT_THROW(static_cast<void>(pool.submit<identity>(1)), weft::Closed);
  EXPECT_FALSE(pool.shutdown_for(10ms)) << "two tasks run";
  gates[0].open();
  gates[1].open();
  EXPECT_EQ(one.get(), 1);
  EXPECT_EQ(two.get(), 2);
  pool.shutdown();
  EXPECT_TRUE(pool.status().pids.empty());
  EXPECT_EQ(pool.status().workers_lost, 0U);
}

TEST_P(StopEarly, drops_what_waits_for_one_worker_alone) {
  weft::Pool pool{{.limit = 1, .worker = {.kind = GetParam()}}};
  const Gate gate;
  weft::Lease lease = pool.lease();
  auto runs = lease.submit<weft::contract::told_behind>(gate.path(), 1);
  weft::contract::until_begun(runs);
  std::vector<weft::Execution<int>> waiting;
  for (int i = 0; i < 1'000; ++i) waiting.push_back(lease.submit<identity>(i));
  pool.stop();
  for (auto& each : waiting) EXPECT_THROW(each.get(), weft::Closed);
  gate.open();
  EXPECT_EQ(runs.get(), 1);
  pool.shutdown();
}

TEST_P(StopEarly, may_be_done_by_a_callback) {
  weft::Pool pool{{.limit = 1, .worker = {.kind = GetParam()}}};
  std::vector<weft::Execution<int>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(pool.submit([](int number) { return nap(5), number; }, i));
    all.back().then([&](int number) {
      if (number == 3) pool.stop();
    });
  }
  int finished = 0;
  for (auto& each : all) {
    try {
      each.get();
      ++finished;
    } catch (const weft::Closed&) {  // behind the fourth
    }
  }
  EXPECT_GE(finished, 4);
  EXPECT_LT(finished, 20);
  pool.shutdown();
}

TEST_P(StopEarly, of_a_pool_that_never_had_a_task_is_its_end) {
  weft::Pool pool{{.limit = 2, .minimum = 2, .worker = {.kind = GetParam()}}};
  pool.stop();
  pool.stop();
  pool.shutdown();
  EXPECT_THROW(static_cast<void>(pool.submit<identity>(1)), weft::Closed);
}

TEST(StopEarlyOfProcesses, runs_no_task_again_whose_worker_dies) {
  const weft::crash::Scratch scratch;
  weft::Pool pool{{.limit = 1}};
  const Gate gate;
  auto execution = pool.with({.retries = 3})
                       .submit(
                           [](const std::string& file, const std::string& path) {
                             append(file, 'x');
                             behind(path, 1);
                             ::kill(::getpid(), SIGKILL);
                           },
                           scratch.file("runs"), gate.path());
  until_exists(scratch.file("runs"));
  pool.stop();
  gate.open();
  EXPECT_THROW(execution.get(), weft::WorkerCrashed);
  pool.shutdown();
  EXPECT_EQ(contents(scratch.file("runs")), "x");
}

// What a pool and a worker both tell.

class Both : public testing::TestWithParam<weft::WorkerKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, Both, testing::ValuesIn(kAllKinds), kKindNamed);

TEST_P(Both, a_pool_runs_until_its_end_and_is_idle_without_tasks) {
  weft::Pool pool{{.limit = 1, .worker = {.kind = GetParam()}}};
  EXPECT_TRUE(pool.is_running());
  EXPECT_TRUE(pool.is_idle()) << "it starts a worker when one is needed";
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  EXPECT_TRUE(pool.is_idle());
  if (GetParam() != weft::WorkerKind::caller) {
    const Gate gate;
    auto busy = pool.submit<behind>(gate.path(), 1);
    EXPECT_FALSE(pool.is_idle());
    EXPECT_TRUE(pool.is_running());
    gate.open();
    EXPECT_EQ(busy.get(), 1);
  }
  pool.shutdown();
  EXPECT_FALSE(pool.is_running());
  EXPECT_FALSE(pool.is_idle());
  weft::Pool moved = std::move(pool);
  EXPECT_FALSE(pool.is_running());  // NOLINT(bugprone-use-after-move)
  EXPECT_FALSE(pool.is_idle());     // NOLINT(bugprone-use-after-move)
}

TEST(CreateWorker, gives_a_worker_that_tells_how_it_is) {
  weft::Worker worker = weft::create_worker();
  EXPECT_EQ(worker.submit<identity>(3).get(), 3);
  EXPECT_EQ(worker.submit<own_pid>().get(), worker.pid());
  EXPECT_THROW(worker.with({.stop_after = 20ms})
                   .submit([](weft::TaskScope& scope) {
                     for (;;) scope.throw_if_stop_requested();
                   })
                   .get(),
               weft::TimedOut);
  const weft::PoolStatus status = worker.status();
  EXPECT_EQ(status.finished, 2U);
  EXPECT_EQ(status.timed_out, 1U);
  EXPECT_EQ(status.pids, std::vector{worker.pid()});
  weft::Worker other = weft::create_worker({.kind = weft::WorkerKind::thread});
  EXPECT_EQ(other.submit<own_pid>().get(), ::getpid());
}

TEST(CreateWorker, gives_a_worker_that_is_shut_down_within_a_time) {
  weft::Worker worker = weft::create_worker();
  const Gate gate;
  auto busy = worker.submit<behind>(gate.path(), 1);
  EXPECT_FALSE(worker.shutdown_for(10ms));
  EXPECT_THROW(static_cast<void>(worker.submit<identity>(1)), weft::Closed);
  gate.open();
  EXPECT_TRUE(worker.shutdown_for(1h));
  EXPECT_EQ(busy.get(), 1);
  EXPECT_FALSE(worker.is_running());
}

}  // namespace
