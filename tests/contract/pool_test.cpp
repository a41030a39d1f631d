// How a pool deals tasks out, ends, and gets on with threads, fibers and callbacks.

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/fiber/fiber.hpp>
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"

using namespace std::chrono_literals;

namespace {

int identity(int number) { return number; }
std::int64_t own_pid() { return ::getpid(); }
std::int64_t slow_pid(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
  return ::getpid();
}

/// Its worker takes a while to end: there is much for the kernel to take back.
int hoards_behind(const std::string& gate) {
  static std::vector<char> hoard;
  hoard.resize(std::size_t{256} << 20U, 'w');
  return weft::contract::behind(gate, 1);
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {}));
}

TEST(Pool, starts_nothing_before_the_first_task) {
  weft::Pool pool{{.limit = 2}};
  EXPECT_TRUE(pool.status().pids.empty());
  EXPECT_EQ(pool.status().workers_starting, 0U);
}

TEST(Pool, grows_to_its_limit_and_no_further) {
  weft::Pool pool{{.limit = 3}};
  std::vector<weft::Execution<std::int64_t>> executions;
  for (int i = 0; i < 12; ++i) executions.push_back(pool.submit<slow_pid>(30));
  std::set<std::int64_t> pids;
  for (auto& execution : executions) pids.insert(execution.get());
  EXPECT_EQ(pids.size(), 3U);
}

TEST(Pool, takes_any_number_of_tasks_without_waiting) {
  weft::Pool pool{{.limit = 2}};
  std::vector<weft::Execution<int>> executions;
  for (int i = 0; i < 100'000; ++i) executions.push_back(pool.submit<identity>(i));
  for (int i = 0; i < 100'000; ++i) ASSERT_EQ(executions[static_cast<std::size_t>(i)].get(), i);
  EXPECT_EQ(pool.status().finished, 100'000U);
}

TEST(Pool, hears_of_an_answer_before_a_long_task_though_all_cores_are_busy) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::vector<weft::contract::Gate> others_gates(cores - 1);
  const weft::contract::Gate gate;
  weft::Pool pool{{.limit = cores, .minimum = cores}};
  std::vector<weft::Execution<int>> others;
  for (const auto& each : others_gates) others.push_back(pool.submit<weft::contract::behind>(each.path(), 1));
  std::vector<weft::Execution<int>> empty;  // from now on several at a time go to the worker that is left
  for (int i = 0; i < 1'000; ++i) empty.push_back(pool.submit<identity>(i));
  for (auto& each : empty) each.get();
  for (int round = 0; round < 10; ++round) {
    auto before = pool.submit<identity>(round);
    auto last = pool.submit<weft::contract::behind>(gate.path(), 1);
    EXPECT_EQ(before.get(), round);
    gate.open();
    EXPECT_EQ(last.get(), 1);
  }
  for (const auto& each : others_gates) each.open();
  for (auto& each : others) EXPECT_EQ(each.get(), 1);
}

TEST(Pool, gives_the_place_of_a_worker_that_leaves_late_to_what_is_stuck) {
  const weft::contract::Gate first_gate;
  const weft::contract::Gate second_gate;
  weft::Pool pool{{.limit = 2}};
  auto first = pool.submit<hoards_behind>(first_gate.path());
  EXPECT_FALSE(first.wait_for(50ms));
  pool.restart();                           // its worker leaves when it is done
  std::vector<weft::Execution<int>> empty;  // from now on several at a time go to the other
  for (int i = 0; i < 1'000; ++i) empty.push_back(pool.submit<identity>(i));
  for (auto& each : empty) each.get();
  auto second = pool.submit<weft::contract::behind>(second_gate.path(), 2);
  auto stuck = pool.submit<identity>(3);
  EXPECT_FALSE(stuck.wait_for(20ms));
  // On a thread of its own, which no SIGCHLD wakes.
  std::thread waiter{[&] { EXPECT_EQ(stuck.get(), 3); }};
  std::this_thread::sleep_for(50ms);  // it sleeps by then, and tries in vain when it hears of the first
  first_gate.open();
  waiter.join();
  EXPECT_EQ(first.get(), 1);
  second_gate.open();
  EXPECT_EQ(second.get(), 2);
}

TEST(Pool, keeps_a_long_task_from_delaying_short_ones_behind_it) {
  weft::Pool pool{{.limit = 2}};
  std::vector<weft::Execution<std::int64_t>> warm;
  for (int i = 0; i < 4; ++i) warm.push_back(pool.submit<slow_pid>(20));
  for (auto& each : warm) each.wait();
  for (int i = 0; i < 2000; ++i) pool.submit<identity>(i).get();  // so that many are sent at once
  auto slow = pool.submit<slow_pid>(2'000);
  std::vector<weft::Execution<int>> quick;
  for (int i = 0; i < 1000; ++i) quick.push_back(pool.submit<identity>(i));
  for (auto& each : quick) each.wait();
  EXPECT_FALSE(slow.ready()) << "the short ones went round it, or came back from its worker";
  slow.wait();
}

TEST(Pool, settles_abandoned_executions_too) {
  weft::Pool pool{{.limit = 1}};
  for (int i = 0; i < 1000; ++i) static_cast<void>(pool.submit<identity>(i));
  pool.shutdown();
  EXPECT_EQ(pool.status().finished, 1000U);
}

TEST(Pool, is_closed_after_shutdown) {
  weft::Pool pool{{.limit = 1}};
  auto last = pool.submit<slow_pid>(20);
  pool.shutdown();
  EXPECT_TRUE(last.ready());
  EXPECT_GT(last.get(), 0);
  EXPECT_THROW(static_cast<void>(pool.submit<identity>(1)), weft::Closed);
  pool.shutdown();
}

TEST(Pool, gives_up_a_shutdown_at_its_deadline) {
  weft::Pool pool{{.limit = 1}};
  pool.submit<own_pid>().get();
  auto endless = pool.submit([] { std::this_thread::sleep_for(1h); });
  EXPECT_FALSE(pool.shutdown_for(50ms));
  pool.kill();
  EXPECT_THROW(endless.get(), weft::WorkerKilled);
}

TEST(Pool, fails_what_is_unfinished_when_it_is_killed) {
  weft::Pool pool{{.limit = 1}};
  std::int64_t pid = pool.submit<own_pid>().get();
  auto running = pool.submit([] { std::this_thread::sleep_for(1h); });
  std::vector<weft::Execution<int>> waiting;
  for (int i = 0; i < 2000; ++i) waiting.push_back(pool.submit<identity>(i));
  pool.kill();
  EXPECT_THROW(running.get(), weft::WorkerKilled);
  for (auto& each : waiting) EXPECT_THROW(each.get(), weft::Error);
  pool.shutdown();  // waits for the ends of the workers
  EXPECT_NE(::kill(static_cast<pid_t>(pid), 0), 0);
}

TEST(Pool, lets_executions_outlive_it) {
  weft::Execution<std::int64_t> unfinished;
  weft::Execution<int> finished;
  {
    weft::Pool pool{{.limit = 1}};
    finished = pool.submit<identity>(3);
    finished.wait();
    unfinished = pool.submit<slow_pid>(60'000);
  }
  EXPECT_EQ(finished.get(), 3);
  EXPECT_THROW(unfinished.get(), weft::Error);
}

TEST(Pool, leaves_no_descriptor_and_no_zombie_behind) {
  {
    weft::Pool first{
        {.limit = 1}};  // with it come what a process has once: attendant, arena, this thread's reactor
    first.submit<identity>(1).get();
    first.shutdown();
  }
  const auto before = open_descriptors();
  for (int i = 0; i < 10; ++i) {
    weft::Pool pool{{.limit = 2}};
    auto one = pool.submit<slow_pid>(1);
    auto two = pool.submit<slow_pid>(1);
    one.wait();
    two.wait();
    if (i % 2 == 0) pool.kill();
    pool.shutdown();
  }
  // The attendant closes the last ones behind our back; the watchdog bounds how long that may take.
  while (open_descriptors() > before) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Pool, is_used_by_many_threads_while_the_main_thread_waits_elsewhere) {
  weft::Pool pool{{.limit = 2}};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        if (pool.submit<identity>(t * 10'000 + i).get() != t * 10'000 + i) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Pool, works_on_while_every_thread_is_busy_elsewhere) {
  weft::Pool pool{{.limit = 1}};
  std::atomic<int> done{0};
  for (int i = 0; i < 2000; ++i) {
    static_cast<void>(pool.submit<identity>(i).then([&done](int) { ++done; }));
  }
  // Nobody waits for any of them: weft's own thread reads the answers and sends what is queued.
  while (done < 2000) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(done, 2000);
}

TEST(Pool, suspends_only_the_fiber_that_waits) {
  weft::Pool pool{{.limit = 2}};
  int finished = 0;
  std::vector<boost::fibers::fiber> fibers;
  for (int f = 0; f < 20; ++f) {
    fibers.emplace_back([&, f] {
      for (int i = 0; i < 50; ++i) {
        if (pool.submit<identity>(f * 100 + i).get() == f * 100 + i) ++finished;
      }
    });
  }
  for (auto& fiber : fibers) fiber.join();
  EXPECT_EQ(finished, 1000);
}

TEST(Execution, calls_back_with_its_value_or_its_failure) {
  weft::Pool pool{{.limit = 1}};
  int value = 0;
  std::string failure;
  auto good = pool.submit<identity>(5);
  good.then([&](int got) { value = got; }).fail([&](const std::exception&) { failure = "wrong"; });
  good.wait();
  EXPECT_EQ(good.get(), 5);
  auto bad = pool.submit([] { throw std::runtime_error{"bad luck"}; });
  bad.then([&] { value = -1; }).fail<std::logic_error>([&](const std::logic_error&) { failure = "wrong"; });
  bad.fail<std::runtime_error>([&](const std::runtime_error& error) { failure = error.what(); });
  bad.wait();
  pool.shutdown();
  EXPECT_EQ(value, 5);
  EXPECT_EQ(failure, "bad luck");
}

TEST(Execution, can_be_waited_for_with_a_limit_again_and_again) {
  weft::Pool pool{{.limit = 1}};
  auto slow = pool.submit<slow_pid>(150);
  EXPECT_FALSE(slow.get_for(1ms).has_value());
  EXPECT_FALSE(slow.wait_for(0ms));
  EXPECT_GT(slow.get(), 0);
  EXPECT_TRUE(slow.get_for(1h).has_value());
}

TEST(Execution, is_cancelled_before_it_begins_and_not_after) {
  weft::Pool pool{{.limit = 1}};
  auto running = pool.submit<slow_pid>(100);
  while (pool.status().running == 0) std::this_thread::yield();
  auto queued = pool.submit<identity>(1);
  EXPECT_TRUE(queued.cancel("not needed any more"));
  try {
    queued.get();
    FAIL();
  } catch (const weft::Cancelled& error) {
    EXPECT_NE(std::string{error.what()}.find("not needed any more"), std::string::npos);
    EXPECT_FALSE(error.verdict().may_have_run);
  }
  EXPECT_GT(running.get(), 0);
  EXPECT_FALSE(running.cancel());
}

TEST(Worker, runs_tasks_in_order_and_is_not_replaced) {
  weft::Worker worker;
  std::vector<weft::Execution<std::int64_t>> executions;
  for (int i = 0; i < 100; ++i) executions.push_back(worker.submit<own_pid>());
  const auto pid = executions.front().get();
  for (auto& each : executions) EXPECT_EQ(each.get(), pid);
  EXPECT_EQ(worker.pid(), pid);
  EXPECT_TRUE(worker.is_idle());
  auto last = worker.submit([] { std::_Exit(9); });
  EXPECT_THROW(last.get(), weft::WorkerExited);
  EXPECT_THROW(worker.submit<identity>(1).get(), weft::Closed);
  EXPECT_FALSE(worker.is_running());
}

TEST(Worker, can_have_workers_of_its_own) {
  weft::Pool pool{{.limit = 1}};
  const auto pids =
      pool.submit([] {
            weft::Pool inner{{.limit = 1}};
            return std::pair{static_cast<std::int64_t>(::getpid()), inner.submit<own_pid>().get()};
          })
          .get();
  EXPECT_NE(pids.first, pids.second);
}

}  // namespace
