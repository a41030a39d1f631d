// One contract for workers of every kind: whoever changes WorkerOptions::kind changes what a worker costs and what it
// can survive, and nothing else.

#include "contract/kinds.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

int prepared = 0;
void prepare() { prepared = 42; }
void refuse() { throw std::runtime_error{"no model"}; }
int what_was_prepared() { return prepared; }

int square(int number) { return number * number; }
std::string doubled(const std::string& text) { return text + text; }
std::size_t length(const Buffer& buffer) { return buffer.size(); }
Buffer filled(std::size_t size) { return Buffer::copy_of(std::string(size, 'w')); }
std::uint64_t sum(const std::vector<std::uint64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0});
}
std::int64_t own_pid() { return ::getpid(); }
std::uint64_t own_worker(TaskScope& scope) { return scope.worker_id(); }

struct Known : std::runtime_error {
  using runtime_error::runtime_error;
};
struct Unknown : std::runtime_error {
  using runtime_error::runtime_error;
};
void throw_known() { throw Known{"of a type that is registered"}; }
void throw_unknown() { throw Unknown{"of a type that is not"}; }
void throw_standard() { throw std::out_of_range{"below zero"}; }
void throw_number() { throw 42; }

bool waits_for_its_end(TaskScope& scope, const std::string& begun) {
  std::ofstream{begun} << "x";
  const std::stop_token token = scope.stop_token();
  while (!token.stop_requested()) std::this_thread::sleep_for(100us);
  return true;
}

bool isolates(WorkerKind kind) { return kind == WorkerKind::exec || kind == WorkerKind::zygote; }
bool waits_in_submit(WorkerKind kind) { return kind == WorkerKind::caller; }

class Kinds : public testing::TestWithParam<WorkerKind> {
 protected:
  [[nodiscard]] PoolOptions options(std::size_t limit = 1) const {
    PoolOptions all;
    all.limit = limit;
    all.worker.kind = GetParam();
    return all;
  }
};

TEST_P(Kinds, give_values) {
  Pool pool{options(2)};
  EXPECT_EQ(pool.submit<square>(7).get(), 49);
  EXPECT_EQ(pool.submit<doubled>(std::string(3000, 'a')).get(), std::string(6000, 'a'));
  EXPECT_EQ(pool.submit([k = 3](int number) { return k * number; }, 14).get(), 42);
  EXPECT_EQ(pool.submit<sum>(std::vector<std::uint64_t>{1, 2, 3}).get(), 6U);
  pool.submit([] {}).get();
}

TEST_P(Kinds, take_big_values_there_and_back) {
  Pool pool{options()};
  std::vector<std::uint64_t> numbers(300'000);
  std::iota(numbers.begin(), numbers.end(), std::uint64_t{1});
  EXPECT_EQ(pool.submit<sum>(numbers).get(), 300'000ULL * 300'001 / 2);
  EXPECT_EQ(pool.submit<doubled>(std::string(100'000, 'b')).get(), std::string(200'000, 'b'));
}

TEST_P(Kinds, take_buffers_there_and_back) {
  Pool pool{options()};
  EXPECT_EQ(pool.submit<length>(Buffer::copy_of(std::string(3'000'000, 'c'))).get(), 3'000'000U);
  for (int round = 0; round < 20; ++round) {
    const Buffer buffer = pool.submit<filled>(std::size_t{1'000'000}).get();
    ASSERT_EQ(buffer.size(), 1'000'000U);
    EXPECT_EQ(buffer.bytes().front(), std::byte{'w'});
    EXPECT_EQ(buffer.bytes().back(), std::byte{'w'});
    EXPECT_EQ(pool.submit<length>(buffer).get(), 1'000'000U) << "and to the worker that made it";
  }
}

TEST_P(Kinds, tell_exceptions) {
  Pool pool{options()};
  EXPECT_THROW(pool.submit<throw_known>().get(), Known);
  EXPECT_THROW(pool.submit<throw_standard>().get(), std::out_of_range);
  EXPECT_THROW(pool.submit<throw_number>().get(), TaskFailed);
  try {
    pool.submit<throw_unknown>().get();
    FAIL() << "nothing was thrown";
  } catch (const TaskFailed& failed) {
    EXPECT_NE(failed.type().find("Unknown"), std::string::npos) << failed.type();
    EXPECT_NE(std::string{failed.what()}.find("of a type that is not"), std::string::npos) << failed.what();
  }
  EXPECT_EQ(pool.submit<square>(2).get(), 4) << "the worker goes on";
}

TEST_P(Kinds, cancel_what_has_not_begun) {
  if (waits_in_submit(GetParam())) GTEST_SKIP() << "everything has begun when submit() returns";
  Pool pool{options()};
  const Gate gate;
  auto first = pool.submit<behind>(gate.path(), 1);
  auto second = pool.submit<square>(3);
  EXPECT_TRUE(second.cancel("not needed"));
  EXPECT_THROW(second.get(), Cancelled);
  gate.open();
  EXPECT_EQ(first.get(), 1);
}

TEST_P(Kinds, stop_tasks_that_look) {
  if (waits_in_submit(GetParam())) GTEST_SKIP() << "nobody could ask";
  Pool pool{options()};
  const std::string begun =
      testing::TempDir() + "kinds_begun_" + name_of(GetParam()) + std::to_string(::getpid());
  auto task = pool.submit<waits_for_its_end>(begun);
  while (!std::filesystem::exists(begun)) std::this_thread::sleep_for(1ms);
  EXPECT_FALSE(task.cancel());
  EXPECT_TRUE(task.get());
  std::filesystem::remove(begun);
  pool.shutdown();  // the leak checker takes what a thread has for lost that the program's end cuts off
}

TEST_P(Kinds, heed_the_deadline_of_a_task) {
  Pool pool{options()};
  const std::string begun =
      testing::TempDir() + "kinds_late_" + name_of(GetParam()) + std::to_string(::getpid());
  auto task =
      pool.with({.deadline = std::chrono::steady_clock::now() + 20ms}).submit<waits_for_its_end>(begun);
  // Asked to stop at the deadline, it gives its value; or the worker came too late for it to begin.
  try {
    EXPECT_TRUE(task.get());
  } catch (const TimedOut&) {
    SUCCEED();
  }
  std::filesystem::remove(begun);
}

TEST_P(Kinds, serve_many_threads) {
  Pool pool{options(3)};
  constexpr int kThreads = 4;
  constexpr int kTasks = 2'000;
  std::vector<std::thread> threads;
  std::vector<long> sums(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      std::vector<Execution<int>> executions;
      for (int i = 0; i < kTasks; ++i) executions.push_back(pool.submit<square>(i % 100));
      for (auto& each : executions) sums[static_cast<std::size_t>(thread)] += each.get();
    });
  }
  for (std::thread& each : threads) each.join();
  for (const long each : sums) EXPECT_EQ(each, 20L * 328'350);
  EXPECT_EQ(pool.status().finished, static_cast<std::uint64_t>(kThreads * kTasks));
}

TEST_P(Kinds, call_back) {
  Pool pool{options()};
  std::atomic<int> value{0};
  std::atomic<bool> failed{false};
  pool.submit<square>(3).then([&](int nine) { value = nine; }).get();
  EXPECT_THROW(
      pool.submit<throw_standard>().fail<std::out_of_range>([&](const auto&) { failed = true; }).get(),
      std::out_of_range);
  pool.shutdown();
  EXPECT_EQ(value, 9);
  EXPECT_TRUE(failed);
}

TEST_P(Kinds, are_gathered) {
  Pool pool{options(2)};
  std::vector<Execution<int>> executions;
  for (int i = 0; i < 100; ++i) executions.push_back(pool.submit<square>(i));
  const std::vector<int> squares = all(executions);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(squares[static_cast<std::size_t>(i)], i * i);
  auto [number, text] = all(pool.submit<square>(5), pool.submit<doubled>("ab"));
  EXPECT_EQ(number, 25);
  EXPECT_EQ(text, "abab");
}

TEST_P(Kinds, run_their_initializer_first) {
  PoolOptions with = options(2);
  with.worker.initializer = initializer<prepare>;
  Pool pool{with};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pool.submit<what_was_prepared>().get(), 42);
}

TEST_P(Kinds, do_not_start_if_their_initializer_throws) {
  PoolOptions with = options();
  with.worker.initializer = initializer<refuse>;
  Pool pool{with};
  for (int i = 0; i < 2; ++i) {
    try {
      pool.submit<square>(1).get();
      FAIL() << "it started";
    } catch (const StartFailed& failed) {
      EXPECT_NE(std::string{failed.what()}.find("no model"), std::string::npos) << failed.what();
    }
  }
}

TEST_P(Kinds, finish_at_shutdown) {
  Pool pool{options(2)};
  std::vector<Execution<int>> executions;
  for (int i = 0; i < 50; ++i) executions.push_back(pool.submit<square>(i));
  pool.shutdown();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(executions[static_cast<std::size_t>(i)].get(), i * i);
  EXPECT_THROW(static_cast<void>(pool.submit<square>(1)), Closed);
}

TEST_P(Kinds, settle_everything_when_the_pool_is_destroyed) {
  if (waits_in_submit(GetParam())) GTEST_SKIP() << "nothing is unfinished when submit() returns";
  std::vector<Execution<int>> executions;
  const Gate gate;
  {
    Pool pool{options()};
    for (int i = 0; i < 10; ++i) executions.push_back(pool.submit<behind>(gate.path(), i));
    if (!isolates(GetParam())) gate.open();
  }
  int unfinished = 0;
  for (auto& each : executions) {
    try {
      each.get();
    } catch (const WorkerKilled&) {
      ++unfinished;
    } catch (const Closed&) {
      ++unfinished;
    }
  }
  EXPECT_GE(unfinished, 9);
}

TEST_P(Kinds, number_their_workers) {
  Pool pool{options()};
  EXPECT_NE(pool.submit<own_worker>().get(), 0U);
}

TEST_P(Kinds, can_be_one_worker_alone) {
  WorkerOptions how;
  how.kind = GetParam();
  Worker worker{how};
  EXPECT_EQ(worker.submit<square>(4).get(), 16);
  worker.shutdown();
}

TEST(Caller, has_everything_done_when_submit_returns) {
  PoolOptions options;
  options.worker.kind = WorkerKind::caller;
  Pool pool{options};
  auto task = pool.submit<own_pid>();
  EXPECT_TRUE(task.ready());
  EXPECT_EQ(task.get(), ::getpid());
  EXPECT_EQ(pool.status().finished, 1U);
  EXPECT_TRUE(pool.status().pids.empty());
}

int submits_two_more(int number) {
  PoolOptions options;
  options.worker.kind = WorkerKind::caller;
  static Pool inner{options};
  return number == 0 ? 1
                     : inner.submit<submits_two_more>(number - 1).get() + inner.submit<square>(number).get();
}

TEST(Caller, lets_a_task_submit_to_its_own_pool) {
  PoolOptions options;
  options.worker.kind = WorkerKind::caller;
  Pool pool{options};
  EXPECT_EQ(pool.submit<submits_two_more>(2).get(), 1 + 1 + 4);
}

TEST(Caller, takes_nothing_that_needs_a_process) {
  const auto refuses = [](auto change) {
    PoolOptions options;
    options.worker.kind = WorkerKind::caller;
    change(options.worker);
    EXPECT_THROW(Pool{options}, ArgumentError);
  };
  refuses([](auto& worker) { worker.binary = "/bin/true"; });
  refuses([](auto& worker) { worker.environment.emplace(); });
  refuses([](auto& worker) { worker.working_directory = "/"; });
  refuses([](auto& worker) { worker.output = Output::capture; });
  refuses([](auto& worker) { worker.limits.open_files = 64; });
  PoolOptions options;
  options.worker.kind = WorkerKind::caller;
  Pool pool{options};
  EXPECT_THROW(static_cast<void>(pool.with({.run_limit = 1s}).submit<square>(1)), ArgumentError);
  EXPECT_THROW(static_cast<void>(pool.lease()), ArgumentError);
  options.worker.kind = static_cast<WorkerKind>(9);
  EXPECT_THROW(Pool{options}, ArgumentError);
}

using Isolated = Kinds;

TEST_P(Isolated, are_other_processes) {
  Pool pool{options()};
  const std::int64_t pid = pool.submit<own_pid>().get();
  EXPECT_NE(pid, ::getpid());
  EXPECT_EQ(pool.status().pids, std::vector<std::int64_t>{pid});
}

TEST_P(Isolated, may_crash) {
  Pool pool{options()};
  try {
    pool.submit([] { std::abort(); }).get();
    FAIL() << "it went on";
  } catch (const WorkerCrashed& crashed) {
    EXPECT_NE(std::string{crashed.what()}.find("SIGABRT"), std::string::npos) << crashed.what();
    EXPECT_FALSE(crashed.trace().empty());
  }
  EXPECT_EQ(pool.submit<square>(2).get(), 4) << "the next one is there";
}

TEST_P(Isolated, may_exit) {
  Pool pool{options()};
  EXPECT_THROW(pool.submit([] { std::_Exit(3); }).get(), WorkerExited);
  EXPECT_EQ(pool.submit<square>(2).get(), 4);
}

TEST_P(Isolated, may_be_killed) {
  Pool pool{options()};
  EXPECT_THROW(pool.submit([] { ::raise(SIGKILL); }).get(), WorkerCrashed);
  EXPECT_EQ(pool.submit<square>(2).get(), 4);
  const Gate gate;
  auto task = pool.submit<behind>(gate.path(), 1);
  pool.kill();
  EXPECT_THROW(task.get(), Error);
}

INSTANTIATE_TEST_SUITE_P(Workers, Kinds, testing::ValuesIn(kAllKinds), kKindNamed);
INSTANTIATE_TEST_SUITE_P(Workers, Isolated, testing::ValuesIn(kKindsApart), kKindNamed);

WEFT_REGISTER_EXCEPTION(Known);

}  // namespace
}  // namespace weft::contract
