// Parts of a pool: a worker of one's own for a while, views that take turns, and what every worker is told.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <semaphore>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/marks.hpp"
#include "crash/scratch.hpp"

using namespace std::chrono_literals;

namespace {

int identity(int number) { return number; }
std::int64_t own_pid() { return ::getpid(); }
int counter = 0;
int count_up() { return ++counter; }
std::string echo(const std::string& text) { return text; }
void die() { std::abort(); }
using Span = std::pair<std::chrono::steady_clock::time_point, std::chrono::steady_clock::time_point>;
Span spend_5_ms() {
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(5ms);
  return {begin, std::chrono::steady_clock::now()};
}

/// Starts `count` workers, and waits until all of them take tasks.
void start_all(weft::Pool& pool, std::size_t count) {
  while (pool.status().pids.size() < count) std::this_thread::sleep_for(1ms);
}

TEST(Lease, runs_its_tasks_in_one_worker_and_nobody_elses) {
  weft::Pool pool{{.limit = 2, .minimum = 2}};
  start_all(pool, 2);
  weft::Lease lease = pool.lease();
  for (int i = 1; i <= 100; ++i) {
    EXPECT_EQ(lease.submit<count_up>().get(), i);
    EXPECT_EQ(pool.submit<count_up>().get(), i) << "the other worker's own count";
  }
  EXPECT_EQ(lease.submit<own_pid>().get(), lease.pid());
  EXPECT_EQ(lease.submit([](weft::TaskScope& scope) { return scope.worker_id(); }).get(), lease.worker_id());
}

TEST(Lease, takes_more_tasks_than_its_worker_has_room_for_and_keeps_their_order) {
  weft::Pool pool{{.limit = 1}};
  weft::Lease lease = pool.lease();
  std::vector<weft::Execution<int>> counts;
  for (int i = 0; i < 20'000; ++i) counts.push_back(lease.submit<count_up>());
  std::vector<weft::Execution<std::string>> echoes;
  for (int i = 0; i < 200; ++i) echoes.push_back(lease.submit<echo>(std::string(5000, 'x')));
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(counts[static_cast<std::size_t>(i)].get(), i + 1);
  for (auto& each : echoes) ASSERT_EQ(each.get().size(), 5000U);
}

TEST(Lease, gives_its_worker_back) {
  weft::Pool pool{{.limit = 1}};
  weft::Execution<std::int64_t> waits;
  std::int64_t pid = 0;
  {
    weft::Lease lease = pool.lease();
    pid = lease.pid();
    waits = pool.submit<own_pid>();
    EXPECT_FALSE(waits.wait_for(20ms)) << "the pool has no other worker";
    weft::Lease moved = std::move(lease);
    EXPECT_EQ(moved.submit<own_pid>().get(), pid);
    EXPECT_THROW(static_cast<void>(lease.submit<own_pid>()), weft::Closed);
  }
  EXPECT_EQ(waits.get(), pid);
  EXPECT_EQ(pool.submit<own_pid>().get(), pid);
}

TEST(Lease, waits_for_a_worker_that_has_nothing_to_do) {
  weft::Pool pool{{.limit = 1}};
  const weft::crash::Scratch scratch;
  auto busy = pool.submit<until_exists>(scratch.file("go"));
  while (pool.status().running == 0) std::this_thread::yield();
  std::thread later{[&] {
    std::this_thread::sleep_for(20ms);
    append(scratch.file("go"), '!');
  }};
  weft::Lease lease = pool.lease();
  EXPECT_TRUE(busy.ready());
  later.join();
}

TEST(Lease, tells_what_became_of_its_worker) {
  weft::Pool pool{{.limit = 1}};
  weft::Lease lease = pool.lease();
  auto doomed = lease.submit<die>();
  auto behind = lease.submit<identity>(1);
  EXPECT_THROW(doomed.get(), weft::WorkerCrashed);
  EXPECT_THROW(behind.get(), weft::Error);
  EXPECT_EQ(lease.pid(), 0);
  EXPECT_THROW(lease.submit<identity>(2).get(), weft::Closed);
  EXPECT_EQ(pool.submit<identity>(3).get(), 3) << "the pool has another worker now";
}

TEST(Lease, keeps_its_worker_when_the_others_are_restarted) {
  weft::Pool pool{{.limit = 2, .minimum = 2}};
  start_all(pool, 2);
  std::int64_t pid = 0;
  {
    weft::Lease lease = pool.lease();
    pid = lease.pid();
    pool.restart();
    EXPECT_EQ(lease.submit<own_pid>().get(), pid);
    EXPECT_NE(pool.submit<own_pid>().get(), pid);
  }
  // Its turn has come.
  while (true) {
    const auto pids = pool.status().pids;
    if (std::find(pids.begin(), pids.end(), pid) == pids.end()) break;
    std::this_thread::sleep_for(1ms);
  }
}

TEST(Lease, is_closed_with_the_pool) {
  weft::Pool pool{{.limit = 1}};
  weft::Lease lease = pool.lease();
  pool.shutdown();
  EXPECT_THROW(static_cast<void>(lease.submit<identity>(1)), weft::Closed);
  EXPECT_THROW(static_cast<void>(pool.lease()), weft::Closed);
}

TEST(Lease, says_why_there_is_no_worker) {
  weft::Pool pool{{.limit = 1, .worker = {.binary = "/no/such/program"}}};
  EXPECT_THROW(static_cast<void>(pool.lease()), weft::StartFailed);
}

TEST(Broadcast, runs_once_in_each_worker) {
  weft::Pool pool{{.limit = 3, .minimum = 3}};
  start_all(pool, 3);
  for (int round = 1; round <= 5; ++round) {
    auto executions = pool.broadcast<count_up>();
    EXPECT_EQ(executions.size(), 3U);
    for (auto& each : executions) EXPECT_EQ(each.get(), round);
  }
  std::set<std::int64_t> pids;
  for (auto& each : pool.broadcast<own_pid>()) pids.insert(each.get());
  EXPECT_EQ(pids.size(), 3U);
}

struct TimesWorkers {
  int factor;
  [[nodiscard]] std::int64_t run() const { return factor * own_pid(); }
};

TEST(Broadcast, takes_what_submit_takes) {
  weft::Pool pool{{.limit = 2, .minimum = 2}};
  start_all(pool, 2);
  const std::vector<std::int64_t> workers = pool.status().pids;
  const std::multiset<std::int64_t> doubled{2 * workers.at(0), 2 * workers.at(1)};
  std::multiset<std::int64_t> found;
  for (auto& each : pool.broadcast(TimesWorkers{2})) found.insert(each.get());
  EXPECT_EQ(found, doubled);
  found.clear();
  const int factor = 2;
  for (auto& each : pool.broadcast([factor](int more) { return factor * own_pid() + more; }, 0))
    found.insert(each.get());
  EXPECT_EQ(found, doubled);
}

TEST(Broadcast, reaches_nobody_where_there_is_no_worker) {
  weft::Pool pool{{.limit = 3}};
  EXPECT_TRUE(pool.broadcast<count_up>().empty());
}

TEST(View, has_no_more_tasks_with_workers_than_its_limit) {
  weft::Pool pool{{.limit = 2, .minimum = 2}};
  start_all(pool, 2);
  weft::PoolView view = pool.view({.limit = 1});
  std::vector<weft::Execution<Span>> executions;
  for (int i = 0; i < 10; ++i) executions.push_back(view.submit<spend_5_ms>());
  auto others = pool.submit<identity>(1);
  EXPECT_EQ(others.get(), 1) << "the pool's own tasks are not held up";
  EXPECT_FALSE(executions.back().ready());
  std::vector<Span> spans;
  for (auto& each : executions) spans.push_back(each.get());
  std::sort(spans.begin(), spans.end());
  for (std::size_t i = 1; i < spans.size(); ++i) EXPECT_LE(spans[i - 1].second, spans[i].first);
}

class Turns : public testing::Test {
 protected:
  explicit Turns(weft::Order order = weft::Order::submitted)
      : pool{{.limit = 1, .order = order}}, plug_{pool.submit<until_exists>(scratch.file("go"))} {
    while (pool.status().running == 0) std::this_thread::yield();
  }
  std::string order() {
    append(scratch.file("go"), '!');
    plug_.get();
    pool.wait_idle();
    return contents(file);
  }
  weft::crash::Scratch scratch;
  std::string file = scratch.file("order");
  weft::Pool pool;

 private:
  weft::Execution<void> plug_;
};

class FairTurns : public Turns {
 protected:
  FairTurns() : Turns{weft::Order::fair} {}
  ~FairTurns() override {
    over_ = true;
    over_.notify_all();
  }
  /// Another thread's `count` tasks. It lives on, so that the next one is not taken for it.
  void submit_elsewhere(char what, int count, weft::Priority priority = weft::Priority::normal) {
    threads_.emplace_back([&, what, count, priority] {
      for (int i = 0; i < count; ++i)
        static_cast<void>(pool.with({.priority = priority}).submit<append>(file, what));
      submitted_.release();
      over_.wait(false);
    });
    submitted_.acquire();
  }

 private:
  std::binary_semaphore submitted_{0};
  std::atomic<bool> over_{false};
  std::vector<std::jthread> threads_;
};

TEST_F(Turns, are_taken_by_views_and_the_pool_itself) {
  weft::PoolView flood = pool.view();
  weft::PoolView trickle = pool.view();
  for (int i = 0; i < 6; ++i) static_cast<void>(flood.submit<append>(file, 'f'));
  for (int i = 0; i < 2; ++i) static_cast<void>(trickle.submit<append>(file, 't'));
  for (int i = 0; i < 2; ++i) static_cast<void>(pool.submit<append>(file, 'p'));
  const std::string all = order();
  ASSERT_EQ(all.size(), 10U);
  EXPECT_EQ(std::count(all.begin(), all.begin() + 6, 'f'), 2) << all;
  EXPECT_EQ(all.substr(6), "ffff");
}

TEST_F(Turns, come_after_priorities) {
  weft::PoolView one = pool.view();
  weft::PoolView other = pool.view({.task = weft::TaskOptions{.priority = weft::Priority::low}});
  static_cast<void>(other.submit<append>(file, 'l'));
  static_cast<void>(other.with({.priority = weft::Priority::high}).submit<append>(file, 'h'));
  static_cast<void>(one.submit<append>(file, 'n'));
  EXPECT_EQ(order(), "hnl");
}

TEST_F(Turns, of_a_view_that_is_gone_are_still_taken) {
  {
    weft::PoolView view = pool.view({.limit = 1});
    for (int i = 0; i < 3; ++i) static_cast<void>(view.submit<append>(file, 'v'));
    auto cancelled = view.submit<append>(file, 'x');
    EXPECT_TRUE(cancelled.cancel());
  }
  EXPECT_EQ(order(), "vvv");
}

TEST_F(Turns, are_not_taken_by_threads) {
  for (int i = 0; i < 3; ++i) static_cast<void>(pool.submit<append>(file, 'f'));
  std::jthread{[&] { static_cast<void>(pool.submit<append>(file, 't')); }};
  EXPECT_EQ(order(), "ffft");
}

TEST_F(FairTurns, are_taken_by_the_threads_that_submit) {
  submit_elsewhere('f', 6);
  submit_elsewhere('t', 2);
  for (int i = 0; i < 2; ++i) static_cast<void>(pool.submit<append>(file, 'm'));
  weft::PoolView view = pool.view();
  for (int i = 0; i < 2; ++i) static_cast<void>(view.submit<append>(file, 'v'));
  const std::string all = order();
  ASSERT_EQ(all.size(), 12U);
  EXPECT_EQ(std::count(all.begin(), all.begin() + 8, 'f'), 2) << all;
  EXPECT_EQ(all.substr(8), "ffff");
}

TEST_F(FairTurns, come_after_priorities) {
  submit_elsewhere('l', 1, weft::Priority::low);
  submit_elsewhere('n', 2);
  submit_elsewhere('h', 2, weft::Priority::high);
  EXPECT_EQ(order(), "hhnnl");
}

TEST_F(FairTurns, are_given_to_many_threads_that_come_and_go) {
  for (int i = 0; i < 30; ++i) submit_elsewhere('a', 1);
  auto cancelled = pool.submit<append>(file, 'x');
  EXPECT_TRUE(cancelled.cancel());
  EXPECT_EQ(order(), std::string(30, 'a'));
  submit_elsewhere('b', 3);
  pool.submit<append>(file, 'c').get();
  pool.wait_idle();
  EXPECT_EQ(contents(file).size(), 34U);
}

TEST(Order, are_one_of_two_orders) {
  EXPECT_THROW(weft::Pool({.order = static_cast<weft::Order>(7)}), weft::ArgumentError);
}

TEST(View, of_a_pool_that_is_gone_is_closed) {
  weft::PoolView view = [] {
    weft::Pool pool{{.limit = 1}};
    return pool.view();
  }();
  EXPECT_THROW(static_cast<void>(view.submit<identity>(1)), weft::Closed);
}

TEST(View, outlives_the_deaths_of_its_workers) {
  weft::Pool pool{{.limit = 1}};
  weft::PoolView view = pool.view({.limit = 1});
  for (int i = 0; i < 3; ++i) {
    auto doomed = view.submit<die>();
    auto next = view.submit<identity>(i);
    EXPECT_THROW(doomed.get(), weft::WorkerCrashed);
    EXPECT_EQ(next.get(), i);
  }
}

}  // namespace
