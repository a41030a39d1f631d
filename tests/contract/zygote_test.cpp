// What is particular to workers that are copied from a prepared process.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

extern char** environ;

namespace {

int identity(int number) { return number; }
std::int64_t own_pid() { return ::getpid(); }
std::int64_t parent_pid() { return ::getppid(); }
bool knows_its_thread() {
  int own = 0;
  std::thread{[&] { own = ::gettid(); }}.join();
  return ::gettid() == ::getpid() && own != ::getpid();
}
std::uint64_t open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}
int from_a_pool_of_its_own() {
  weft::Pool pool{{.limit = 1}};
  return pool.submit<identity>(5).get();
}
void print_something() { std::printf("from the task\n"); }

std::vector<int> squares;
void load_squares() {
  for (int i = 0; i < 100; ++i) squares.push_back(i * i);
}
int square_of(int number) { return squares.at(static_cast<std::size_t>(number)); }

void note_run() { std::ofstream{std::getenv("WEFT_TEST_RUNS"), std::ios::app} << "x"; }
void leave_a_thread() {
  std::thread{[] { ::pause(); }}.detach();
}
void wait_for_something() { weft::sleep_for(1ms); }
/// As good as all that a process may have which is limited to 32.
void open_many() {
  while (::dup(0) < 28) {
  }
}
void make_a_buffer() { static weft::Buffer kept = weft::Buffer::copy_of("shared"); }
void hang() { ::pause(); }

weft::PoolOptions copies(std::size_t limit) {
  weft::PoolOptions options;
  options.limit = limit;
  options.worker.kind = weft::WorkerKind::zygote;
  return options;
}

/// The processes that this one has started, by name.
std::set<pid_t> children(const std::string& name) {
  std::set<pid_t> found;
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream list{thread.path() / "children"};
    for (pid_t pid = 0; list >> pid;) {
      std::string comm;
      std::getline(std::ifstream{"/proc/" + std::to_string(pid) + "/comm"}, comm);
      if (name.empty() || comm == name) found.insert(pid);
    }
  }
  return found;
}

// First, since a child is forked off a program that has not used weft yet.

TEST(BeforeFirstUse, leaves_no_zygote_and_no_copy_when_the_program_is_killed) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int said[2];
  ASSERT_EQ(::pipe2(said, O_CLOEXEC), 0);
  const pid_t program = ::fork();
  if (program == 0) {
    weft::Pool pool{copies(3)};
    std::vector<weft::Execution<void>> busy;
    busy.push_back(pool.submit([] { std::this_thread::sleep_for(1h); }));
    busy.push_back(pool.submit([] {
      for (volatile bool forever = true; forever;) {
      }
    }));
    pool.submit([] {}).get();
    while (pool.status().pids.size() < 3) std::this_thread::sleep_for(1ms);
    static_cast<void>(::write(said[1], "x", 1));
    ::pause();
  }
  char ready = 0;
  ASSERT_EQ(::read(said[0], &ready, 1), 1);
  ::kill(program, SIGKILL);
  // This process inherits the orphans; the test's time limit is the watchdog for one that does not end.
  int ended = 0;
  while (::waitpid(-1, nullptr, 0) > 0) ++ended;
  EXPECT_EQ(errno, ECHILD);
  EXPECT_EQ(ended, 5) << "the program, its zygote, three workers";
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  ::close(said[0]);
  ::close(said[1]);
}

class Zygote : public testing::Test {
 protected:
  weft::PoolOptions noting(std::size_t limit) {
    weft::PoolOptions options = copies(limit);
    options.worker.initializer = weft::initializer<note_run>;
    auto& environment = options.worker.environment.emplace();
    environment.push_back("WEFT_TEST_RUNS=" + runs_);
    for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
    return options;
  }
  [[nodiscard]] std::uintmax_t runs() const { return std::filesystem::file_size(runs_); }
  void TearDown() override { std::filesystem::remove(runs_); }

 private:
  std::string runs_ = testing::TempDir() + "zygote_runs_" + std::to_string(::getpid());
};

TEST_F(Zygote, runs_the_initializer_once_for_all_workers) {
  weft::PoolOptions options = noting(1);
  options.tasks_per_worker = 1;
  weft::Pool pool{options};
  std::set<std::int64_t> pids;
  for (int i = 0; i < 5; ++i) pids.insert(pool.submit<own_pid>().get());
  EXPECT_EQ(pids.size(), 5U);
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Zygote, hands_down_what_the_initializer_has_loaded) {
  weft::PoolOptions options{.limit = 4};
  options.worker.kind = weft::WorkerKind::zygote;
  options.worker.initializer = weft::initializer<load_squares>;  // runs once
  weft::Pool pool{options};
  EXPECT_EQ(pool.submit<square_of>(12).get(), 144);
}

TEST_F(Zygote, begins_anew_when_the_pool_is_restarted) {
  weft::Pool pool{noting(1)};
  const std::int64_t before = pool.submit<own_pid>().get();
  pool.restart();
  EXPECT_NE(pool.submit<own_pid>().get(), before);
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Zygote, makes_children_of_the_program_itself) {
  weft::Pool pool{copies(1)};
  EXPECT_EQ(pool.submit<parent_pid>().get(), ::getpid());
  EXPECT_EQ(children("weft-worker").size(), 1U);
  EXPECT_TRUE(pool.submit<knows_its_thread>().get());
}

TEST_F(Zygote, is_replaced_when_it_dies) {
  weft::PoolOptions options = copies(1);
  options.tasks_per_worker = 1;
  weft::Pool pool{options};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pool.submit<identity>(i).get(), i);
    for (const pid_t zygote : children("weft-zygote")) ::kill(zygote, SIGKILL);
    while (!children("weft-zygote").empty()) std::this_thread::yield();
  }
  EXPECT_EQ(pool.submit<identity>(9).get(), 9);
}

TEST_F(Zygote, leaves_nothing_when_its_pool_ends) {
  {
    weft::Pool pool{copies(2)};
    EXPECT_EQ(pool.submit<identity>(1).get(), 1);
    pool.shutdown();
    EXPECT_TRUE(children("").empty()) << "shutdown() returns when all have gone";
  }
  {
    weft::Pool pool{copies(2)};
    EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  }
  while (!children("").empty()) std::this_thread::sleep_for(1ms);
}

TEST_F(Zygote, is_told_to_go_while_its_initializer_still_runs) {
  weft::PoolOptions options = copies(1);
  options.worker.initializer = weft::initializer<hang>;
  weft::Pool pool{options};
  auto task = pool.submit<identity>(1);
  EXPECT_TRUE(task.cancel());
  pool.shutdown();
  EXPECT_TRUE(children("").empty());
}

TEST_F(Zygote, that_takes_too_long_has_not_started) {
  weft::PoolOptions options = copies(1);
  options.worker.initializer = weft::initializer<hang>;
  options.worker.start_timeout = 50ms;
  weft::Pool pool{options};
  EXPECT_THROW(pool.submit<identity>(1).get(), weft::StartFailed);
}

template <auto Initializer>
std::string refused() {
  weft::PoolOptions options = copies(1);
  options.worker.initializer = weft::initializer<Initializer>;
  weft::Pool pool{options};
  try {
    pool.submit<identity>(1).get();
  } catch (const weft::StartFailed& failed) {
    return failed.what();
  }
  return "it started";
}

TEST_F(Zygote, cannot_be_copied_with_threads_fibers_or_buffers) {
  const std::string threads = refused<leave_a_thread>();
  EXPECT_NE(threads.find("1 other thread ("), std::string::npos) << threads;
  EXPECT_NE(threads.find("WorkerKind::exec"), std::string::npos) << threads;
  const std::string waits = refused<wait_for_something>();
  EXPECT_NE(waits.find("waited for something"), std::string::npos) << waits;
  const std::string buffers = refused<make_a_buffer>();
  EXPECT_NE(buffers.find("weft::Buffer"), std::string::npos) << buffers;
}

TEST_F(Zygote, makes_workers_within_their_limits) {
  weft::PoolOptions options = copies(1);
  options.worker.limits.open_files = 64;
  weft::Pool pool{options};
  EXPECT_EQ(pool.submit<open_files>().get(), 64U);
}

TEST_F(Zygote, tells_why_its_copies_cannot_start) {
  weft::PoolOptions options = copies(2);
  options.worker.limits.open_files = 32;
  options.worker.initializer = weft::initializer<open_many>;
  weft::Pool pool{options};
  for (int i = 0; i < 3; ++i) {
    auto first = pool.submit<identity>(1);
    auto second = pool.submit<identity>(2);
    for (auto* each : {&first, &second}) {
      try {
        each->get();
        FAIL() << "it started";
      } catch (const weft::StartFailed& failed) {
        EXPECT_NE(std::string{failed.what()}.find("before it was ready"), std::string::npos) << failed.what();
      }
    }
  }
  EXPECT_EQ(pool.status().workers_lost, 0U);
}

TEST_F(Zygote, makes_workers_whose_output_is_captured) {
  weft::PoolOptions options = copies(2);
  options.worker.output = weft::Output::capture;
  weft::Pool pool{options};
  auto task = pool.submit<print_something>();
  task.get();
  EXPECT_EQ(task.output(), "from the task\n");
}

TEST_F(Zygote, makes_workers_that_may_have_pools) {
  weft::Pool pool{copies(1)};
  EXPECT_EQ(pool.submit<from_a_pool_of_its_own>().get(), 5);
}

TEST_F(Zygote, leaves_no_trace_in_their_environment) {
  weft::Pool pool{copies(1)};
  EXPECT_TRUE(pool.submit([] { return std::getenv("LD_BIND_NOW") == nullptr; }).get());
}

}  // namespace
