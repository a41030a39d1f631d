// What observers are told, and what an Execution knows of its times.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"
#include "contract/kinds.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

/// Writes down what it is told, in order. Waits for a certain line of it.
class Notebook final : public Observer {
 public:
  struct Task {
    int submitted = 0;
    int begun = 0;
    int settled = 0;
    std::string name;
    std::string error;
    std::string message;
    TaskTimes times;
    bool in_order = true;
  };

  void worker_started(const WorkerEvent& event) override { note("started", event); }
  void worker_ready(const WorkerEvent& event) override { note("ready", event); }
  void worker_ended(const WorkerEvent& event) override { note("ended", event); }
  void task_submitted(const TaskEvent& event) override {
    const std::lock_guard guard{mutex_};
    Task& task = tasks[event.task];
    task.name = event.name;
    ++task.submitted;
  }
  void task_begun(const TaskEvent& event) override {
    const std::lock_guard guard{mutex_};
    Task& task = tasks[event.task];
    task.in_order = task.in_order && task.submitted == 1 && task.settled == 0 && event.times.worker != 0;
    ++task.begun;
  }
  void task_settled(const TaskEvent& event) override {
    const std::lock_guard guard{mutex_};
    Task& task = tasks[event.task];
    task.in_order = task.in_order && task.submitted == 1;
    ++task.settled;
    task.error = event.error;
    task.message = event.message;
    task.times = event.times;
  }
  [[nodiscard]] Task only_task() {
    const std::lock_guard guard{mutex_};
    EXPECT_EQ(tasks.size(), 1U);
    return tasks.empty() ? Task{} : tasks.begin()->second;
  }
  [[nodiscard]] std::vector<std::string> words() {
    const std::lock_guard guard{mutex_};
    return words_;
  }
  [[nodiscard]] std::string last_reason() {
    const std::lock_guard guard{mutex_};
    return reason_;
  }

  std::map<std::uint64_t, Task> tasks;  // by number; of whoever has ended all that could tell

 private:
  void note(const char* what, const WorkerEvent& event) {
    const std::lock_guard guard{mutex_};
    words_.push_back(what + (" " + std::to_string(event.worker)) + " of " + std::string{event.owner});
    if (!event.reason.empty()) reason_ = event.reason;
  }
  std::mutex mutex_;
  std::vector<std::string> words_;
  std::string reason_;
};

int doubled(int x) { return 2 * x; }
void throws_range() { throw std::out_of_range{"too far"}; }
void crashes() { ::raise(SIGSEGV); }
int pid_here() { return ::getpid(); }
int sleeps_a_while() {
  std::this_thread::sleep_for(20ms);
  return 7;
}
/// The first worker that runs it dies.
int dies_once(const std::string& mark) {
  const int made = ::open(mark.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (made < 0) return 5;
  ::raise(SIGKILL);
  return 0;
}

PoolOptions observed(const std::shared_ptr<Notebook>& notebook, WorkerKind kind = WorkerKind::exec) {
  PoolOptions options{.limit = 1, .observer = notebook};
  options.worker.kind = kind;
  return options;
}

class ObserverOf : public testing::TestWithParam<WorkerKind> {};

TEST_P(ObserverOf, is_told_of_each_task_once_and_in_order) {
  const auto notebook = std::make_shared<Notebook>();
  constexpr int kTasks = 500;
  {
    Pool pool{observed(notebook, GetParam())};
    std::vector<Execution<int>> executions;
    for (int i = 0; i < kTasks; ++i) executions.push_back(pool.submit<doubled>(i));
    for (int i = 0; i < kTasks; ++i) EXPECT_EQ(executions.at(static_cast<std::size_t>(i)).get(), 2 * i);
    pool.shutdown();
  }
  ASSERT_EQ(notebook->tasks.size(), std::size_t{kTasks});
  for (const auto& [number, task] : notebook->tasks) {
    EXPECT_EQ(task.submitted, 1);
    EXPECT_GE(task.begun, 1);
    EXPECT_EQ(task.settled, 1);
    EXPECT_TRUE(task.in_order) << number;
    EXPECT_EQ(task.error, "");
    EXPECT_NE(task.name.find("doubled"), std::string::npos) << task.name;
    EXPECT_LE(task.times.submitted, task.times.begun);
    EXPECT_LE(task.times.begun, task.times.ended);
    EXPECT_LE(task.times.ended, task.times.settled);
    EXPECT_EQ(task.times.attempts, 1U);
    EXPECT_EQ(task.times.worker, 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ObserverOf, testing::ValuesIn(kAllKinds), kKindNamed);

TEST(Observer, is_told_of_a_workers_life) {
  const auto notebook = std::make_shared<Notebook>();
  {
    Pool pool{observed(notebook)};
    EXPECT_EQ(pool.submit<doubled>(1).get(), 2);
    pool.shutdown();
  }
  EXPECT_EQ(notebook->words(),
            (std::vector<std::string>{"started 1 of pool", "ready 1 of pool", "ended 1 of pool"}));
  EXPECT_EQ(notebook->last_reason(), "exited with code 0: shutdown");
}

TEST(Observer, is_told_what_a_task_threw) {
  const auto notebook = std::make_shared<Notebook>();
  Pool pool{observed(notebook)};
  EXPECT_THROW(pool.submit<throws_range>().get(), std::out_of_range);
  pool.shutdown();
  const Notebook::Task task = notebook->only_task();
  EXPECT_EQ(task.error, "std::out_of_range");
  EXPECT_EQ(task.message, "too far");
}

TEST(Observer, is_told_of_a_crash_and_then_of_the_workers_end) {
  const auto notebook = std::make_shared<Notebook>();
  Pool pool{observed(notebook)};
  EXPECT_THROW(pool.submit<crashes>().get(), WorkerCrashed);
  pool.shutdown();
  const Notebook::Task task = notebook->only_task();
  EXPECT_EQ(task.error, "weft::WorkerCrashed");
  EXPECT_EQ(task.times.attempts, 1U);
  EXPECT_EQ(task.times.worker, 1U);
  EXPECT_LT(task.times.begun, task.times.settled);
  EXPECT_NE(notebook->last_reason().find("SIGSEGV"), std::string::npos) << notebook->last_reason();
}

TEST(Observer, is_told_anew_of_each_attempt) {
  const auto notebook = std::make_shared<Notebook>();
  const std::string mark = testing::TempDir() + "weft-anew-" + std::to_string(::getpid());
  ::unlink(mark.c_str());
  Pool pool{observed(notebook)};
  auto twice = pool.with({.retries = 1}).submit<dies_once>(mark);
  EXPECT_EQ(twice.get(), 5);
  pool.shutdown();
  ::unlink(mark.c_str());
  const Notebook::Task task = notebook->only_task();
  EXPECT_EQ(task.begun, 2);
  EXPECT_EQ(task.settled, 1);
  EXPECT_TRUE(task.in_order);
  EXPECT_EQ(notebook->words(),
            (std::vector<std::string>{"started 1 of pool", "ready 1 of pool", "ended 1 of pool",
                                      "started 2 of pool", "ready 2 of pool", "ended 2 of pool"}));
}

TEST(Observer, is_told_of_a_worker_that_cannot_start) {
  const auto notebook = std::make_shared<Notebook>();
  PoolOptions options = observed(notebook);
  options.worker.binary = "/bin/true";
  Pool pool{options};
  EXPECT_THROW(pool.submit<doubled>(1).get(), StartFailed);
  pool.shutdown();
  const auto words = notebook->words();
  ASSERT_EQ(words.size(), 2U);
  EXPECT_EQ(words[0], "started 1 of pool");
  EXPECT_EQ(words[1], "ended 1 of pool");
  const Notebook::Task task = notebook->only_task();
  EXPECT_EQ(task.error, "weft::StartFailed");
  EXPECT_EQ(task.begun, 0);
  EXPECT_EQ(task.times.attempts, 0U);
  EXPECT_EQ(task.times.begun, task.times.settled);
  EXPECT_EQ(task.times.ran(), 0ns);
}

TEST(Observer, is_told_of_tasks_that_are_cancelled_before_they_begin) {
  const auto notebook = std::make_shared<Notebook>();
  Pool pool{observed(notebook)};
  const Gate gate;
  auto running = pool.submit<behind>(gate.path(), 1);
  auto waiting = pool.submit<behind>(gate.path(), 2);
  EXPECT_TRUE(waiting.cancel("not needed"));
  gate.open();
  EXPECT_EQ(running.get(), 1);
  pool.shutdown();
  ASSERT_EQ(notebook->tasks.size(), 2U);
  const Notebook::Task& cancelled = std::prev(notebook->tasks.end())->second;
  EXPECT_EQ(cancelled.error, "weft::Cancelled");
  EXPECT_EQ(cancelled.times.attempts, 0U);
  EXPECT_EQ(cancelled.times.worker, 0U);
}

TEST(Observer, is_told_of_what_is_killed_with_its_pool) {
  const auto notebook = std::make_shared<Notebook>();
  const Gate gate;
  {
    Pool pool{observed(notebook)};
    auto first = pool.submit<behind>(gate.path(), 1);
    auto second = pool.submit<behind>(gate.path(), 2);
    auto third = pool.submit<behind>(gate.path(), 3);
    pool.kill();
    pool.shutdown();
  }
  ASSERT_EQ(notebook->tasks.size(), 3U);
  for (const auto& [number, task] : notebook->tasks) {
    EXPECT_EQ(task.settled, 1) << number;
    EXPECT_NE(task.error, "") << number;
  }
}

/// Submits a task for each of the first ones that settle, from within the call.
class Eager final : public Observer {
 public:
  void task_settled(const TaskEvent& event) override {
    if (event.error.empty() && submitted < 10) {
      ++submitted;
      again.push_back(pool->submit<doubled>(submitted));
    }
    ++settled;
    settled.notify_all();
  }
  Pool* pool = nullptr;
  std::atomic<int> settled = 0;
  int submitted = 0;
  std::vector<Execution<int>> again;
};

TEST(Observer, may_submit_and_ask_for_status) {
  const auto eager = std::make_shared<Eager>();
  Pool pool{{.limit = 1, .observer = eager}};
  eager->pool = &pool;
  EXPECT_EQ(pool.submit<doubled>(1).get(), 2);
  for (int seen = 0; (seen = eager->settled.load()) != 11;) eager->settled.wait(seen);
  pool.shutdown();
  EXPECT_EQ(eager->submitted, 10);
  EXPECT_EQ(eager->settled, 11);
  eager->again.clear();
}

/// Throws, and waits where it must not.
class Rude final : public Observer {
 public:
  void task_submitted(const TaskEvent&) override { throw std::runtime_error{"I do not care"}; }
  void task_settled(const TaskEvent&) override {
    try {
      static_cast<void>(pool->submit<doubled>(1).get());
    } catch (const Error& error) {
      told = error.what();
    }
    pool = nullptr;
  }
  Pool* pool = nullptr;
  std::string told;
};

TEST(Observer, that_throws_or_waits_hurts_nobody) {
  const auto rude = std::make_shared<Rude>();
  const auto notebook = std::make_shared<Notebook>();
  Pool pool{{.limit = 1, .observer = notebook}};
  Pool other{{.limit = 1, .observer = rude}};
  rude->pool = &pool;
  testing::internal::CaptureStderr();
  EXPECT_EQ(other.submit<doubled>(4).get(), 8);
  other.shutdown();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("I do not care"), std::string::npos);
  EXPECT_NE(rude->told.find("waits"), std::string::npos) << rude->told;
}

TEST(Observer, of_many_threads_is_told_of_all) {
  const auto notebook = std::make_shared<Notebook>();
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  {
    Pool pool{{.limit = 2, .observer = notebook}};
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&pool] {
        for (int i = 0; i < kEach; ++i) EXPECT_EQ(pool.submit<doubled>(i).get(), 2 * i);
      });
    }
    threads.clear();
    pool.shutdown();
  }
  EXPECT_EQ(notebook->tasks.size(), std::size_t{kThreads * kEach});
  for (const auto& [number, task] : notebook->tasks) {
    EXPECT_TRUE(task.in_order && task.settled == 1) << number;
  }
}

TEST(Times, are_those_of_the_task_where_they_are_asked_for) {
  Pool pool{{.limit = 1}};
  auto plain = pool.submit<doubled>(1);
  auto measured = pool.with({.measure_times = true}).submit<sleeps_a_while>();
  EXPECT_EQ(plain.get(), 2);
  EXPECT_FALSE(plain.times().has_value());
  EXPECT_EQ(measured.get(), 7);
  const std::optional<TaskTimes> times = measured.times();
  ASSERT_TRUE(times.has_value());
  EXPECT_GE(times->ran(), 20ms);
  EXPECT_LE(times->submitted, times->begun);
  EXPECT_LE(times->ended, times->settled);
  EXPECT_EQ(times->waited(), times->begun - times->submitted);
  EXPECT_EQ(times->attempts, 1U);
  EXPECT_EQ(times->worker, 1U);
  EXPECT_EQ(pool.status().run_times.count(), 0U) << "histograms are for PoolOptions::measure_times";
}

TEST(Times, name_the_process_and_are_none_before_the_end) {
  Pool pool{{.limit = 1, .measure_times = true}};
  const Gate gate;
  auto waiting = pool.submit<behind>(gate.path(), 1);
  EXPECT_FALSE(waiting.times().has_value());
  gate.open();
  EXPECT_EQ(waiting.get(), 1);
  EXPECT_TRUE(waiting.times().has_value());
  auto asked = pool.submit<pid_here>();
  const int pid = asked.get();
  EXPECT_EQ(asked.times()->pid, pid);
  EXPECT_EQ(pool.status().run_times.count(), 2U);
}

TEST(Times, count_the_attempts) {
  const std::string mark = testing::TempDir() + "weft-attempts-" + std::to_string(::getpid());
  ::unlink(mark.c_str());
  Pool pool{{.limit = 1}};
  auto twice = pool.with({.retries = 1, .measure_times = true}).submit<dies_once>(mark);
  EXPECT_EQ(twice.get(), 5);
  ::unlink(mark.c_str());
  const TaskTimes times = twice.times().value();
  EXPECT_EQ(times.attempts, 2U);
  EXPECT_EQ(times.worker, 2U);
}

TEST(Times, of_a_task_that_never_began_have_no_run) {
  Pool pool{{.limit = 1, .measure_times = true}};
  const Gate gate;
  auto running = pool.submit<behind>(gate.path(), 1);
  auto late = pool.with({.start_within = 1ms, .measure_times = true}).submit<doubled>(1);
  EXPECT_THROW(late.get(), TimedOut);
  const TaskTimes times = late.times().value();
  EXPECT_EQ(times.attempts, 0U);
  EXPECT_EQ(times.ran(), 0ns);
  EXPECT_GE(times.waited(), 1ms);
  gate.open();
  EXPECT_EQ(running.get(), 1);
}

}  // namespace
}  // namespace weft::contract
