// Workers that are threads of this process: what kinds_test.cpp does not say of them.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"

using namespace std::chrono_literals;
using weft::WorkerKind;
using weft::contract::behind;
using weft::contract::Gate;

namespace {

weft::PoolOptions threads(std::size_t limit = 1) {
  weft::PoolOptions options;
  options.limit = limit;
  options.worker.kind = WorkerKind::thread;
  return options;
}

std::size_t count_in(const char* folder) {
  std::size_t count = 0;
  for (auto each = std::filesystem::directory_iterator{folder}; each != std::filesystem::directory_iterator{};
       ++each)
    ++count;
  return count;
}

std::size_t threads_here() { return count_in("/proc/self/task"); }
std::size_t descriptors_here() { return count_in("/proc/self/fd"); }

template <class Condition>
void wait_until(Condition condition) {
  while (!condition()) std::this_thread::sleep_for(1ms);
}

std::int64_t own_pid() { return ::getpid(); }
std::thread::id main_thread;
bool on_main_thread() { return std::this_thread::get_id() == main_thread; }
std::size_t length(const weft::Buffer& buffer) { return buffer.size(); }
int square(int number) { return number * number; }

// What a task and the test say to each other, which share their memory.
weft::Pool* shared_pool = nullptr;
std::atomic<bool> begun{false};
std::atomic<bool> was_asked{false};
std::atomic<int> ran{0};

void run_until_asked(weft::TaskScope& scope) {
  const std::stop_token token = scope.stop_token();
  begun = true;
  while (!token.stop_requested()) std::this_thread::sleep_for(100us);
  was_asked = true;
}

void count() { ++ran; }

void wait_and_count(const std::string& path) {
  begun = true;
  static_cast<void>(behind(path, 1));
  count();
}

TEST(Thread, runs_in_this_process_and_not_on_this_thread) {
  weft::Pool pool{threads()};
  EXPECT_EQ(pool.submit<own_pid>().get(), ::getpid());
  main_thread = std::this_thread::get_id();
  EXPECT_FALSE(pool.submit<on_main_thread>().get());
  EXPECT_EQ(pool.status().pids, std::vector<std::int64_t>{::getpid()});
  EXPECT_FALSE(weft::in_worker());
}

// A task that submits to its own pool and waits, all of whose workers wait in the same way.

int down(int depth) { return depth == 0 ? 1 : 1 + shared_pool->submit<down>(depth - 1).get(); }

int sum_of_squares(int count) {
  std::vector<weft::Execution<int>> executions;
  for (int i = 0; i < count; ++i) executions.push_back(shared_pool->submit<square>(i));
  int sum = 0;
  for (const int each : weft::all(executions)) sum += each;
  return sum;
}

class OwnPool : public testing::TestWithParam<std::size_t> {
 protected:
  OwnPool() { shared_pool = &pool_; }
  ~OwnPool() override { shared_pool = nullptr; }
  weft::Pool pool_{threads(GetParam())};
};

TEST_P(OwnPool, lets_a_task_wait_for_another) {
  EXPECT_EQ(pool_.submit<down>(1).get(), 2);
  EXPECT_EQ(pool_.submit<down>(20).get(), 21);
}

TEST_P(OwnPool, lets_many_tasks_wait_for_many) {
  std::vector<weft::Execution<int>> executions;
  for (int i = 0; i < 30; ++i) executions.push_back(pool_.submit<sum_of_squares>(20));
  for (const int each : weft::all(executions)) EXPECT_EQ(each, 2470);
}

TEST_P(OwnPool, lets_them_wait_though_the_pool_is_shut_down) {
  auto task = pool_.submit<down>(5);
  wait_until([&] { return pool_.status().workers_starting == 0; });
  EXPECT_EQ(task.get(), 6);
  auto last = pool_.submit<sum_of_squares>(3);
  EXPECT_EQ(last.get(), 5);
  pool_.shutdown();
}

INSTANTIATE_TEST_SUITE_P(Limit, OwnPool, testing::Values(1U, 2U));

TEST(Thread, lets_a_task_wait_in_its_own_pool_though_its_worker_is_to_be_replaced) {
  weft::PoolOptions options = threads();
  options.tasks_per_worker = 1;
  weft::Pool pool{options};
  shared_pool = &pool;
  EXPECT_EQ(pool.submit<down>(5).get(), 6);
  EXPECT_EQ(pool.submit<down>(2).get(), 3);
  shared_pool = nullptr;
}

TEST(Thread, lets_a_task_wait_for_room_in_its_own_queue) {
  weft::PoolOptions options = threads();
  options.queue_limit = 1;
  weft::Pool pool{options};
  shared_pool = &pool;
  EXPECT_EQ(pool.submit<sum_of_squares>(10).get(), 285);
  shared_pool = nullptr;
}

int in_a_pool_of_its_own(int depth) {
  if (depth == 0) return 0;
  std::optional<weft::Pool> inner;
  try {
    inner.emplace(threads());
  } catch (const weft::Error& error) {
    EXPECT_NE(std::string{error.what()}.find("levels deep"), std::string::npos) << error.what();
    return 0;
  }
  return 1 + inner->submit<in_a_pool_of_its_own>(depth - 1).get();
}

TEST(Thread, may_have_a_pool_of_threads_itself_down_to_a_depth) {
  weft::Pool pool{threads()};
  EXPECT_EQ(pool.submit<in_a_pool_of_its_own>(3).get(), 3);
  EXPECT_EQ(pool.submit<in_a_pool_of_its_own>(100).get(), 9);
  EXPECT_EQ(weft::Pool{threads()}.submit<square>(2).get(), 4) << "and this thread is at the top still";
}

// The end.

TEST(Thread, is_asked_to_stop_when_the_pool_is_killed) {
  begun = was_asked = false;
  ran = 0;
  weft::Pool pool{threads()};
  auto running = pool.submit<run_until_asked>();
  auto waiting = pool.submit<count>();
  wait_until([] { return begun.load(); });
  pool.kill();
  try {
    running.get();
    FAIL() << "it has a value";
  } catch (const weft::WorkerKilled& killed) {
    EXPECT_TRUE(killed.verdict().may_have_run);
  }
  EXPECT_THROW(waiting.get(), weft::Error);
  pool.shutdown();  // waits for the task
  EXPECT_TRUE(was_asked);
  EXPECT_EQ(ran, 0) << "what had not begun does not";
}

TEST(Thread, has_what_it_has_not_begun_taken_from_it_when_the_pool_is_killed) {
  const Gate gate;
  weft::Pool pool{threads()};
  // Short tasks first, so that the pool gives the worker many at a time.
  for (int i = 0; i < 2'000; ++i) pool.submit<count>().get();
  ran = 0;
  auto first = pool.submit<behind>(gate.path(), 1);
  std::vector<weft::Execution<void>> others;
  for (int i = 0; i < 20; ++i) others.push_back(pool.submit<count>());
  pool.kill();
  gate.open();
  EXPECT_THROW(first.get(), weft::WorkerKilled);
  for (auto& each : others) EXPECT_THROW(each.get(), weft::Error);
  pool.shutdown();
  EXPECT_EQ(ran, 0);
}

TEST(Thread, outlives_its_pool_until_its_task_returns) {
  { const weft::Pool first{threads()}; }  // the attendant's thread
  const std::size_t before = threads_here();
  const Gate gate;
  {
    weft::Pool pool{threads()};
    begun = false;
    ran = 0;
    auto task = pool.submit<wait_and_count>(gate.path());
    wait_until([] { return begun.load(); });
  }
  EXPECT_EQ(ran, 0) << "nobody has waited for it";
  gate.open();
  wait_until([] { return ran == 1; });
  wait_until([&] { return threads_here() <= before; });
}

TEST(Thread, closes_the_channels_of_tasks_when_the_pool_is_killed) {
  static std::atomic<int> ended{0};
  ended = 0;
  static std::mutex kept_lock;
  static std::vector<std::unique_ptr<weft::Channel<int, int>>> kept;
  weft::Pool pool{threads(2)};
  const auto receive = [](weft::TaskScope& scope) {
    auto channel = scope.channel<int, int>();
    channel.send(1);
    EXPECT_THROW(channel.receive(), weft::Closed);
    EXPECT_THROW(channel.send(2), weft::Closed);
    const std::lock_guard guard{kept_lock};
    kept.push_back(std::make_unique<weft::Channel<int, int>>(std::move(channel)));
    ++ended;
  };
  auto first = pool.submit(receive);
  auto second = pool.submit(receive);
  auto to_first = first.channel<int, int>();
  auto to_second = second.channel<int, int>();
  EXPECT_EQ(to_first.receive(), 1);
  EXPECT_EQ(to_second.receive(), 1);
  pool.kill();
  pool.shutdown();
  EXPECT_EQ(ended, 2);
  for (const auto& channel : kept) {  // their workers have gone
    EXPECT_THROW(channel->send(3), weft::Closed);
    channel->close();
  }
  kept.clear();
}

TEST(Thread, leaves_its_buffers_to_whoever_has_them) {
  std::vector<weft::Buffer> values;
  static weft::Buffer argument;
  {
    weft::Pool pool{threads(2)};
    for (char letter = 'a'; letter < 'e'; ++letter) {
      values.push_back(
          pool.submit([letter] { return weft::Buffer::copy_of(std::string(300'000, letter)); }).get());
    }
    pool.submit([](const weft::Buffer& given) { argument = given; },
                weft::Buffer::copy_of(std::string(300'000, 'z')))
        .get();
    pool.shutdown();
  }
  // What is made now must not lie where the others do.
  std::vector<weft::Buffer> others;
  for (int i = 0; i < 20; ++i) others.push_back(weft::Buffer::copy_of(std::string(300'000, '#')));
  const auto is_all = [](const weft::Buffer& buffer, char letter) {
    for (const std::byte each : buffer.bytes()) {
      if (each != static_cast<std::byte>(letter)) return false;
    }
    return buffer.size() == 300'000;
  };
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_TRUE(is_all(values[i], static_cast<char>('a' + static_cast<char>(i)))) << i;
  EXPECT_TRUE(is_all(argument, 'z'));
  argument = {};
}

TEST(Thread, sends_a_buffer_of_one_worker_to_another) {
  weft::Pool one{threads()};
  weft::Pool other{threads()};
  const weft::Buffer made = one.submit([] { return weft::Buffer::copy_of(std::string(500'000, 'm')); }).get();
  for (int i = 0; i < 10; ++i) {
    const weft::Buffer back = other.submit([](weft::Buffer given) { return given; }, made).get();
    ASSERT_EQ(back.size(), 500'000U);
    EXPECT_EQ(back.bytes().back(), std::byte{'m'});
    EXPECT_EQ(one.submit<length>(back).get(), 500'000U);
  }
}

TEST(Thread, leaves_no_thread_and_no_descriptor_behind) {
  const auto use = [](int round) {
    weft::Pool pool{threads(2)};
    EXPECT_EQ(pool.submit<square>(round).get(), round * round);
    if (round % 3 == 0) {  // with a thread that watches for stops
      pool.submit([](weft::TaskScope& scope) { return scope.stop_token().stop_requested(); }).get();
    }
    if (round % 3 == 1) pool.shutdown();
  };
  const auto use_well = [](int round) {
    weft::Pool pool{threads(2)};
    EXPECT_EQ(pool.submit<square>(round).get(), round * round);
    pool.shutdown();
  };
  use_well(1);  // the attendant's thread, this one's reactor
  const std::size_t threads_before = threads_here();
  const std::size_t descriptors_before = descriptors_here();
  for (int round = 0; round < 1'000; ++round) use(round);
  wait_until([&] { return threads_here() <= threads_before && descriptors_here() <= descriptors_before; });
  SUCCEED();
}

TEST(Thread, that_is_idle_has_ended_when_its_pool_is_gone) {
  static std::atomic<int> marks{0};
  struct Mark {
    ~Mark() {
      std::this_thread::sleep_for(10ms);
      ++marks;
    }
    int used = 0;
  };
  for (int round = 1; round <= 20; ++round) {
    {
      weft::Pool pool{threads(2)};
      const auto mark = [] {
        thread_local Mark its;
        return ++its.used;
      };
      EXPECT_EQ(pool.submit(mark).get(), 1);
    }
    EXPECT_EQ(marks, round);
  }
}

const Gate* start_gate = nullptr;
void start_slowly() { static_cast<void>(behind(start_gate->path(), 1)); }

TEST(Thread, is_told_that_it_took_too_long_to_start) {
  const Gate gate;
  start_gate = &gate;
  weft::PoolOptions options = threads();
  options.worker.start_timeout = 20ms;
  options.worker.initializer = weft::initializer<start_slowly>;
  weft::Pool pool{options};
  try {
    pool.submit<square>(1).get();
    FAIL() << "it started";
  } catch (const weft::StartFailed& failed) {
    EXPECT_NE(std::string{failed.what()}.find("start_timeout"), std::string::npos) << failed.what();
  }
  gate.open();
  pool.shutdown();
}

TEST(Thread, that_took_too_long_to_start_is_followed_by_another) {
  const Gate gate;
  start_gate = &gate;
  weft::PoolOptions options = threads();
  options.limit = 1;
  options.worker.start_timeout = 20ms;
  options.worker.initializer = weft::initializer<start_slowly>;
  weft::Pool pool{options};
  auto first = pool.submit<square>(1);
  auto second = pool.submit<square>(2);
  EXPECT_THROW(first.get(), weft::StartFailed);
  gate.open();
  EXPECT_THROW(second.get(), weft::StartFailed) << "the next is tried, and as slow";
  gate.open();
  pool.shutdown();
}

TEST(Thread, has_signals_blocked) {
  weft::Pool pool{threads()};
  EXPECT_TRUE(pool.submit([] {
                    sigset_t mask;
                    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
                    return ::sigismember(&mask, SIGTERM) == 1;
                  })
                  .get());
}

TEST(Thread, can_be_leased_and_replaced) {
  weft::Pool pool{threads(2)};
  {
    weft::Lease lease = pool.lease();
    EXPECT_EQ(lease.submit<square>(3).get(), 9);
    EXPECT_EQ(lease.pid(), ::getpid());
  }
  pool.restart();
  EXPECT_EQ(pool.submit<square>(4).get(), 16);
  pool.resize(1);
  EXPECT_EQ(pool.submit<square>(5).get(), 25);
}

TEST(Thread, takes_nothing_that_needs_a_process) {
  const auto refuses = [](auto change) {
    weft::PoolOptions options = threads();
    change(options);
    EXPECT_THROW(weft::Pool{options}, weft::ArgumentError);
  };
  refuses([](auto& options) { options.worker.binary = "/bin/true"; });
  refuses([](auto& options) { options.worker.environment.emplace(); });
  refuses([](auto& options) { options.worker.working_directory = "/"; });
  refuses([](auto& options) { options.worker.output = weft::Output::lines; });
  refuses([](auto& options) { options.worker.limits.memory_bytes = 1 << 30; });
  refuses([](auto& options) { options.worker_memory_bytes = 1 << 30; });
  weft::Pool pool{threads()};
  EXPECT_THROW(static_cast<void>(pool.with({.run_limit = 1s}).submit<square>(1)), weft::ArgumentError);
}

}  // namespace
