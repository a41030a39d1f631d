// What a pool and a single task can be told beyond "run this": limits of time, priorities, retries, and how the pool keeps
// its workers.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"
#include "contract/marks.hpp"
#include "crash/scratch.hpp"

using namespace std::chrono_literals;

namespace {

int identity(int number) { return number; }
std::int64_t own_pid() { return ::getpid(); }
void nap(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds{ms}); }
int forever() {
  for (;;) std::this_thread::sleep_for(1s);
}
/// Dies the first `deaths` times that it runs, by the marks in `file`.
int dies_at_first(const std::string& file, int deaths) {
  append(file, 'x');
  if (static_cast<int>(contents(file).size()) <= deaths) ::raise(SIGKILL);
  return 11;
}
void dies_when_stopped(weft::TaskScope& scope, const std::string& file) {
  append(file, 'x');
  while (!scope.stop_token().stop_requested()) std::this_thread::yield();
  ::raise(SIGKILL);
}
void until_told_to_stop(weft::TaskScope& scope) {
  for (;;) scope.throw_if_stop_requested();
}
bool has_deadline(weft::TaskScope& scope) { return scope.deadline().has_value(); }

/// Of a task as it is, of one with its own, and of one from another thread.
std::vector<bool> deadlines_of_sub_tasks() {
  weft::Pool own{{.limit = 1}};
  const bool as_it_is = own.submit<has_deadline>().get();
  const bool with_own =
      own.with({.deadline = std::chrono::steady_clock::now() + 2h}).submit<has_deadline>().get();
  bool from_thread = true;
  std::thread{[&] { from_thread = own.submit<has_deadline>().get(); }}.join();
  return {as_it_is, with_own, from_thread};
}
void gives_sub_task_no_time() {
  weft::Pool own{{.limit = 1}};
  own.with({.deadline = std::chrono::steady_clock::now()}).submit<nap>(1).get();
}

/// Keeps the only worker busy until it goes.
class Plug {
 public:
  explicit Plug(weft::Pool& pool) : execution_{pool.submit<until_exists>(scratch_.file("go"))} {
    while (pool.status().running == 0) std::this_thread::yield();
  }
  void pull() { append(scratch_.file("go"), '!'); }
  ~Plug() {
    pull();
    execution_.wait();
  }

 private:
  weft::crash::Scratch scratch_;
  weft::Execution<void> execution_;
};

TEST(TaskOptions, with_a_run_limit_end_a_task_that_goes_on_and_nothing_else) {
  weft::Pool pool{{.limit = 1}};
  const std::int64_t first = pool.submit<own_pid>().get();
  auto stuck = pool.with({.run_limit = 50ms}).submit<forever>();
  std::vector<weft::Execution<int>> behind;
  for (int i = 0; i < 20; ++i) behind.push_back(pool.submit<identity>(i));
  try {
    stuck.get();
    FAIL() << "it went on";
  } catch (const weft::TimedOut& error) {
    EXPECT_NE(std::string{error.what()}.find("run_limit"), std::string::npos) << error.what();
    EXPECT_TRUE(error.verdict().may_have_run);
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(behind[static_cast<std::size_t>(i)].get(), i);
  EXPECT_NE(pool.submit<own_pid>().get(), first);
  EXPECT_EQ(pool.status().workers_lost, 0U) << "it was ended, not lost";
}

TEST(TaskOptions, with_a_run_limit_count_from_the_tasks_own_start) {
  weft::Pool pool{{.limit = 1}};
  auto before = pool.submit<nap>(300);
  auto quick = pool.with({.run_limit = 250ms}).submit<identity>(3);
  EXPECT_EQ(quick.get(), 3);
  before.get();
}

void start_slowly() { std::this_thread::sleep_for(500ms); }

/// The only worker, stopped: it has a task that it does not begin.
std::int64_t stopped_worker(weft::Pool& pool) {
  const std::int64_t pid = pool.submit<own_pid>().get();
  ::kill(static_cast<pid_t>(pid), SIGSTOP);
  return pid;
}

TEST(TaskOptions, with_a_run_limit_begin_anew_where_the_worker_died_before_the_task_began) {
  weft::Pool pool{{.limit = 1, .worker = {.initializer = weft::initializer<start_slowly>}}};
  const std::int64_t pid = stopped_worker(pool);
  auto execution = pool.with({.run_limit = 200ms}).submit<identity>(5);
  ::kill(static_cast<pid_t>(pid), SIGKILL);
  EXPECT_EQ(execution.get(), 5) << "it waited for longer than it may run";
}

TEST(TaskOptions, with_a_stop_that_came_before_the_worker_died_are_not_run_elsewhere) {
  weft::Pool pool{{.limit = 1}};
  const std::int64_t pid = stopped_worker(pool);
  std::stop_source stop;
  auto execution = pool.with({.stop = stop.get_token()}).submit<until_told_to_stop>();
  auto late = pool.with({.deadline = std::chrono::steady_clock::now() + 50ms}).submit<until_told_to_stop>();
  stop.request_stop();
  std::this_thread::sleep_for(100ms);
  ::kill(static_cast<pid_t>(pid), SIGKILL);
  EXPECT_THROW(execution.get(), weft::Cancelled);
  EXPECT_THROW(late.get(), weft::TimedOut);
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  EXPECT_EQ(pool.status().timed_out, 1U);
}

TEST(TaskOptions, with_stop_after_ask_the_task_to_stop) {
  weft::Pool pool{{.limit = 1}};
  EXPECT_THROW(pool.with({.stop_after = 30ms}).submit<until_told_to_stop>().get(), weft::TimedOut);
  EXPECT_EQ(pool.submit<identity>(1).get(), 1) << "the worker goes on";
  EXPECT_EQ(pool.status().workers_lost, 0U);
}

TEST(TaskOptions, with_a_deadline_end_a_task_that_waits_and_stop_one_that_runs) {
  weft::Pool pool{{.limit = 1}};
  const auto soon = std::chrono::steady_clock::now() + 50ms;
  auto running = pool.with({.deadline = soon}).submit<until_told_to_stop>();
  auto waiting = pool.with({.deadline = soon}).submit<identity>(1);
  EXPECT_THROW(running.get(), weft::TimedOut);
  // Handed to the worker in time or not: what begins in time gives its value.
  try {
    EXPECT_EQ(waiting.get(), 1);
  } catch (const weft::TimedOut& error) {
    EXPECT_FALSE(error.verdict().may_have_run);
  }
  EXPECT_TRUE(pool.with({.deadline = std::chrono::steady_clock::now() + 1h}).submit<has_deadline>().get());
  EXPECT_FALSE(pool.submit<has_deadline>().get());
}

TEST(TaskOptions, with_start_within_give_up_what_no_worker_begins) {
  weft::Pool pool{{.limit = 1}};
  Plug plug{pool};
  auto waiting = pool.with({.start_within = 30ms}).submit<identity>(1);
  try {
    waiting.get();
    FAIL() << "it ran behind the plug";
  } catch (const weft::TimedOut& error) {
    EXPECT_NE(std::string{error.what()}.find("start_within"), std::string::npos) << error.what();
    EXPECT_FALSE(error.verdict().may_have_run);
  }
}

TEST(TaskOptions, with_a_deadline_hold_for_what_the_task_submits_itself) {
  weft::Pool pool{{.limit = 1}};
  const auto deadline = std::chrono::steady_clock::now() + 1h;
  EXPECT_EQ(pool.with({.deadline = deadline}).submit<deadlines_of_sub_tasks>().get(),
            (std::vector<bool>{true, true, false}));
  EXPECT_EQ(pool.submit<deadlines_of_sub_tasks>().get(), (std::vector<bool>{false, true, false}));
  // One that is nearer stays.
  EXPECT_THROW(pool.with({.deadline = deadline}).submit<gives_sub_task_no_time>().get(), weft::TimedOut);
}

TEST(TaskOptions, with_retries_run_a_task_again_after_its_worker_died) {
  weft::Pool pool{{.limit = 1}};
  const weft::crash::Scratch scratch;
  EXPECT_EQ(pool.with({.retries = 2}).submit<dies_at_first>(scratch.file("two"), 2).get(), 11);
  EXPECT_EQ(contents(scratch.file("two")), "xxx");
  try {
    pool.with({.retries = 2}).submit<dies_at_first>(scratch.file("three"), 3).get();
    ADD_FAILURE() << "it died as often as it was run";
  } catch (const weft::WorkerCrashed& error) {
    EXPECT_NE(std::string{error.what()}.find("which 2 workers had died of before"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(contents(scratch.file("three")), "xxx") << "no more often than it may";
  EXPECT_THROW(pool.submit<dies_at_first>(scratch.file("one"), 1).get(), weft::WorkerCrashed);
  EXPECT_EQ(contents(scratch.file("one")), "x") << "without being told to, once";
}

TEST(TaskOptions, with_retries_do_not_run_a_task_again_that_was_asked_to_stop) {
  weft::Pool pool{{.limit = 1}};
  const weft::crash::Scratch scratch;
  auto execution = pool.with({.retries = 5}).submit<dies_when_stopped>(scratch.file("runs"));
  while (contents(scratch.file("runs")).empty()) std::this_thread::yield();
  EXPECT_FALSE(execution.cancel());
  EXPECT_THROW(execution.get(), weft::WorkerCrashed);
  EXPECT_EQ(contents(scratch.file("runs")), "x");
}

TEST(TaskOptions, with_a_priority_overtake_those_that_wait) {
  weft::Pool pool{{.limit = 1}};
  const weft::crash::Scratch scratch;
  const std::string file = scratch.file("order");
  std::vector<weft::Execution<void>> all;
  {
    Plug plug{pool};
    for (int i = 0; i < 3; ++i)
      all.push_back(pool.with({.priority = weft::Priority::low}).submit<append>(file, 'l'));
    for (int i = 0; i < 3; ++i) all.push_back(pool.submit<append>(file, 'n'));
    for (int i = 0; i < 3; ++i)
      all.push_back(pool.with({.priority = weft::Priority::high}).submit<append>(file, 'h'));
    EXPECT_EQ(pool.status().queued, 9U);
  }
  for (auto& each : all) each.get();
  EXPECT_EQ(contents(file), "hhhnnnlll");
}

TEST(TaskOptions, that_do_not_hold_are_refused) {
  weft::Pool pool{{.limit = 1}};
  EXPECT_THROW(static_cast<void>(pool.with({.run_limit = -1ns}).submit<identity>(1)), weft::ArgumentError);
  EXPECT_THROW((weft::Pool{{.limit = 1, .task = weft::TaskOptions{.stop_after = -1ns}}}),
               weft::ArgumentError);
  EXPECT_THROW((weft::Pool{{.limit = 1, .minimum = 2}}), weft::ArgumentError);
  EXPECT_THROW((weft::Pool{{.idle_timeout = -1ns}}), weft::ArgumentError);
}

TEST(PoolOptions, hold_for_every_task_where_they_say_so) {
  weft::Pool pool{{.limit = 1, .task = weft::TaskOptions{.run_limit = 50ms}}};
  EXPECT_THROW(pool.submit<forever>().get(), weft::TimedOut);
}

TEST(PoolOptions, with_a_minimum_start_workers_at_once_and_keep_so_many) {
  weft::Pool pool{{.limit = 2, .minimum = 2}};
  while (pool.status().pids.size() < 2) std::this_thread::yield();
  const std::int64_t one = pool.status().pids.front();
  ::kill(static_cast<pid_t>(one), SIGKILL);
  const auto replaced = [&] {
    const auto pids = pool.status().pids;
    return pids.size() == 2 && pids[0] != one && pids[1] != one;
  };
  while (!replaced()) std::this_thread::yield();
}

TEST(PoolOptions, with_an_idle_timeout_let_workers_go_that_have_nothing_to_do) {
  weft::Pool pool{{.limit = 2, .minimum = 1, .idle_timeout = 40ms}};
  auto one = pool.submit<nap>(50);
  auto other = pool.submit<nap>(50);
  one.get();
  other.get();
  while (pool.status().pids.size() > 1) std::this_thread::yield();
  EXPECT_EQ(pool.submit<identity>(5).get(), 5);
  EXPECT_EQ(pool.status().workers_lost, 0U);
}

TEST(PoolOptions, with_tasks_per_worker_replace_each_after_so_many) {
  weft::Pool pool{{.limit = 1, .tasks_per_worker = 10}};
  std::multiset<std::int64_t> pids;
  std::vector<weft::Execution<std::int64_t>> all;
  for (int i = 0; i < 100; ++i) all.push_back(pool.submit<own_pid>());
  for (auto& each : all) pids.insert(each.get());
  for (const std::int64_t pid : pids) EXPECT_LE(pids.count(pid), 10U);
  EXPECT_EQ(pool.status().workers_lost, 0U);
}

TEST(PoolOptions, with_a_queue_limit_reject_what_does_not_fit_or_wait_for_room) {
  {
    weft::Pool pool{{.limit = 1, .queue_limit = 2, .on_full = weft::OnFull::reject}};
    Plug plug{pool};
    auto one = pool.submit<identity>(1);
    auto two = pool.submit<identity>(2);
    EXPECT_THROW(static_cast<void>(pool.submit<identity>(3)), weft::QueueFull);
    plug.pull();
    EXPECT_EQ(one.get() + two.get(), 3);
  }
  weft::Pool pool{{.limit = 1, .queue_limit = 2}};
  std::vector<weft::Execution<int>> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(pool.submit<identity>(i));
    EXPECT_LE(pool.status().queued, 2U);
  }
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].get(), i);
}

TEST(Pool, is_waited_for_until_it_has_nothing_to_do) {
  weft::Pool pool{{.limit = 1}};
  auto one = pool.submit<nap>(50);
  EXPECT_FALSE(pool.wait_idle_for(1ms));
  pool.wait_idle();
  EXPECT_TRUE(one.ready());
  EXPECT_EQ(pool.submit<identity>(2).get(), 2) << "it is not shut down";
}

TEST(Pool, is_resized_and_restarted_under_way) {
  weft::Pool pool{{.limit = 1}};
  const std::int64_t first = pool.submit<own_pid>().get();
  pool.restart();
  EXPECT_NE(pool.submit<own_pid>().get(), first);
  pool.resize(2);
  std::set<std::int64_t> pids;
  const weft::contract::Gate one_gate;
  const weft::contract::Gate other_gate;
  const auto pid_behind = [](std::string path) {
    weft::contract::behind(path, 1);
    return std::int64_t{::getpid()};
  };
  auto one = pool.submit(pid_behind, one_gate.path());
  auto other = pool.submit(pid_behind, other_gate.path());
  while (pool.status().workers_busy < 2) std::this_thread::yield();
  one_gate.open();
  other_gate.open();
  EXPECT_NE(one.get(), other.get());
  pool.resize(1);
  while (pool.status().pids.size() > 1) std::this_thread::yield();
  EXPECT_EQ(pool.limit(), 1U);
  EXPECT_THROW(pool.resize(0), weft::ArgumentError);
  EXPECT_EQ(pool.status().workers_lost, 0U);
}

TEST(Pool, of_the_program_is_there_without_being_made_and_can_be_replaced) {
  EXPECT_EQ(weft::submit<identity>(4).get(), 4);
  weft::Pool mine{{.limit = 1}};
  EXPECT_EQ(weft::replace_pool(&mine), nullptr);
  EXPECT_EQ(weft::submit([](int x) { return x + 1; }, 4).get(), 5);
  EXPECT_EQ(mine.status().finished, 1U);
  EXPECT_EQ(weft::replace_pool(nullptr), &mine);
  EXPECT_NE(&weft::pool(), &mine);
}

}  // namespace
