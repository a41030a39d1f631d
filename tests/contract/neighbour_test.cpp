// weft is a good neighbour: what else the program does with signals, children and processes goes on as if it were not
// there.

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;

int identity(int number) { return number; }
std::int64_t own_pid() { return ::getpid(); }
int crash() { std::abort(); }

pid_t start_child(int code) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(code);
  return child;
}

std::atomic<int> children_signalled{0};
void on_child(int) { ++children_signalled; }

struct sigaction disposition_of(int signal) {
  struct sigaction action {};
  ::sigaction(signal, nullptr, &action);
  return action;
}

/// Runs `body` in a forked child, where gtest's own means are not at hand: 0 if it returned true.
template <class Body>
int in_forked_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    bool good = false;
    try {
      good = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

// First, since a child is forked off a program that has not used weft yet.

TEST(BeforeFirstUse, lets_a_forked_child_use_weft_for_the_first_time) {
  EXPECT_EQ(in_forked_child([] {
              weft::Pool pool{{.limit = 1}};
              const bool good = pool.submit<identity>(3).get() == 3;
              pool.shutdown();
              return good;
            }),
            0);
}

TEST(BeforeFirstUse, leaves_no_worker_when_the_program_is_killed) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int said[2];
  ASSERT_EQ(::pipe2(said, O_CLOEXEC), 0);
  const pid_t program = ::fork();
  if (program == 0) {
    weft::Pool pool{{.limit = 3}};
    std::vector<weft::Execution<void>> busy;
    // One sleeps in its task, one computes, one is idle.
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
  EXPECT_GE(ended, 4);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  ::close(said[0]);
  ::close(said[1]);
}

TEST(Neighbour, leaves_every_signal_disposition_and_the_mask_as_they_were) {
  struct sigaction own {};
  own.sa_handler = on_child;
  own.sa_flags = SA_RESTART | SA_NOCLDSTOP;
  ::sigaction(SIGCHLD, &own, nullptr);
  std::vector<struct sigaction> before;
  for (int signal = 1; signal < SIGRTMAX; ++signal) before.push_back(disposition_of(signal));
  sigset_t mask_before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_before);
  {
    weft::Pool pool{{.limit = 2}};
    EXPECT_EQ(pool.submit<identity>(1).get(), 1);
    EXPECT_THROW(pool.submit<crash>().get(), weft::WorkerCrashed);
    EXPECT_EQ(pool.submit<identity>(2).get(), 2);
    pool.shutdown();
  }
  for (int signal = 1; signal < SIGRTMAX; ++signal) {
    const struct sigaction now = disposition_of(signal);
    EXPECT_EQ(now.sa_handler, before[static_cast<std::size_t>(signal - 1)].sa_handler) << signal;
    EXPECT_EQ(now.sa_flags, before[static_cast<std::size_t>(signal - 1)].sa_flags) << signal;
  }
  sigset_t mask_now;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_now);
  for (int signal = 1; signal < SIGRTMAX; ++signal) {
    EXPECT_EQ(::sigismember(&mask_now, signal), ::sigismember(&mask_before, signal)) << signal;
  }
}

TEST(Neighbour, leaves_the_programs_children_to_the_program) {
  struct sigaction own {};
  own.sa_handler = on_child;
  own.sa_flags = SA_RESTART;
  ::sigaction(SIGCHLD, &own, nullptr);
  weft::Pool pool{{.limit = 2}};
  for (int i = 0; i < 10; ++i) {
    const int before = children_signalled;
    const pid_t child = start_child(40 + i);
    EXPECT_EQ(pool.submit<identity>(i).get(), i);
    if (i % 3 == 0) {
      EXPECT_THROW(pool.submit<crash>().get(), weft::WorkerCrashed);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child) << "somebody else reaped it";
    EXPECT_EQ(WEXITSTATUS(status), 40 + i);
    EXPECT_GT(children_signalled, before);
  }
}

// Why weft's own threads block SIGCHLD: one of them that did not would take it, and it would be lost.
TEST(Neighbour, leaves_the_programs_children_to_a_signalfd_that_is_made_later) {
  ::signal(SIGCHLD, SIG_DFL);
  weft::Pool pool{{.limit = 1, .idle_timeout = 0s}};
  weft::Pool threads{{.limit = 1, .idle_timeout = 0s, .worker = {.kind = weft::WorkerKind::thread}}};
  EXPECT_EQ(pool.submit<identity>(1).get(), 1);
  EXPECT_EQ(threads.submit<identity>(1).get(), 1);
  sigset_t child_ends;
  sigset_t before;
  sigemptyset(&child_ends);
  sigaddset(&child_ends, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &child_ends, &before);
  const int told = ::signalfd(-1, &child_ends, SFD_CLOEXEC);
  ASSERT_GE(told, 0);
  for (int i = 0; i < 20; ++i) {
    const pid_t child = start_child(i);
    signalfd_siginfo end{};
    ASSERT_EQ(::read(told, &end, sizeof end), static_cast<ssize_t>(sizeof end));
    EXPECT_EQ(end.ssi_pid, static_cast<std::uint32_t>(child));
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  }
  ::close(told);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(Neighbour, bears_with_a_program_that_reaps_every_child) {
  std::atomic<bool> done{false};
  std::thread reaper{[&done] {
    while (!done) {
      if (::waitpid(-1, nullptr, WNOHANG) <= 0) std::this_thread::sleep_for(100us);
    }
  }};
  {
    weft::Pool pool{{.limit = 2}};
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(pool.submit<identity>(i).get(), i);
      EXPECT_THROW(pool.submit<crash>().get(), weft::WorkerCrashed);
    }
    EXPECT_EQ(pool.submit<identity>(9).get(), 9);
    pool.shutdown();
  }
  done = true;
  reaper.join();
}

TEST(Neighbour, bears_with_a_program_that_ignores_its_children) {
  ::signal(SIGCHLD, SIG_IGN);
  {
    weft::Pool pool{{.limit = 1}};
    EXPECT_EQ(pool.submit<identity>(1).get(), 1);
    EXPECT_THROW(pool.submit<crash>().get(), weft::WorkerCrashed);
    EXPECT_EQ(pool.submit<identity>(2).get(), 2);
    pool.shutdown();
  }
  ::signal(SIGCHLD, SIG_DFL);
}

TEST(Neighbour, lets_the_program_decide_about_the_interrupt_of_the_terminal) {
  weft::Pool pool{{.limit = 1}};
  const auto pid = static_cast<pid_t>(pool.submit<own_pid>().get());
  ::kill(pid, SIGINT);  // as the terminal sends it to all
  ::kill(pid, SIGQUIT);
  EXPECT_EQ(pool.submit<own_pid>().get(), pid);
}

TEST(Neighbour, lets_no_interrupt_of_the_terminal_end_a_worker_that_is_about_to_start) {
  weft::Pool pool{
      {.limit = 1, .worker = {.binary = WEFT_OTHER_PROGRAM, .environment = {{"WEFT_TEST_INTERRUPT=1"}}}}};
  EXPECT_EQ(pool.submit(weft::named<std::string(std::string)>("greet"), "weft").get(),
            "hello weft from another program");
}

template <class Call>
bool says_fork(Call call) {
  try {
    call();
  } catch (const weft::Error& error) {
    if (std::string{error.what()}.find("fork") != std::string::npos) return true;
    std::fprintf(stderr, "not about fork: %s\n", error.what());
    return false;
  }
  std::fprintf(stderr, "no error\n");
  return false;
}

TEST(Neighbour, tells_a_forked_child_that_it_cannot_use_what_its_parent_has) {
  weft::Pool pool{{.limit = 1}};
  const std::int64_t pid = pool.submit<own_pid>().get();
  auto finished = pool.submit<identity>(5);
  finished.wait();
  auto unfinished = pool.submit([] { std::this_thread::sleep_for(300ms); });
  std::stop_source stop;
  auto heeding = pool.with({.stop = stop.get_token()}).submit<identity>(6);
  weft::AnyStop late = weft::stop_after(1h);
  EXPECT_EQ(in_forked_child([&] {
              bool good = says_fork([&] { static_cast<void>(pool.submit<identity>(1)); });
              good = says_fork([&] { weft::Pool another{{.limit = 1}}; }) && good;
              good = says_fork([&] { unfinished.get(); }) && good;
              good = says_fork([&] { static_cast<void>(unfinished.cancel()); }) && good;
              good = says_fork([&] { static_cast<void>(pool.status()); }) && good;
              good = says_fork([&] { pool.shutdown(); }) && good;
              good = says_fork([&] { pool.kill(); }) && good;
              good = says_fork([] { weft::Buffer{100}; }) && good;
              good = finished.get() == 5 && good;  // what has come has come
              // What ends with the child's stack must not end the parent's workers.
              stop.request_stop();
              const weft::AnyStop nobodys = std::move(late);
              const weft::Pool ended = std::move(pool);
              const auto dropped = std::move(unfinished);
              return good;
            }),
            0);
  unfinished.get();
  EXPECT_EQ(heeding.get(), 6) << "the child's stop is the child's";
  EXPECT_EQ(pool.submit<own_pid>().get(), pid) << "the parent's worker is still there";
}

/// Called as a task of the outermost pool, so that `depth` counts processes.
std::string nest(int depth) {
  try {
    weft::Pool pool{{.limit = 1}};
    return pool.submit<nest>(depth + 1).get();
  } catch (const weft::Error& error) {
    return std::to_string(depth) + ": " + error.what();
  }
}

TEST(Neighbour, stops_workers_that_start_workers_ten_levels_deep) {
  weft::Pool pool{{.limit = 1}};
  const std::string told = pool.submit<nest>(1).get();
  EXPECT_NE(told.find("10: "), std::string::npos) << told;
  EXPECT_NE(told.find("levels deep"), std::string::npos) << told;
}

TEST(Neighbour, submits_to_other_workers_while_one_is_stopped) {
  weft::Pool pool{{.limit = 2}};
  const auto rendezvous = [](int) {
    std::this_thread::sleep_for(100ms);
    return static_cast<std::int64_t>(::getpid());
  };
  auto first = pool.submit(rendezvous, 0);
  auto second = pool.submit(rendezvous, 0);
  const auto stopped = static_cast<pid_t>(first.get());
  const auto other = static_cast<pid_t>(second.get());
  ASSERT_NE(stopped, other);
  ::kill(stopped, SIGSTOP);
  std::vector<weft::Execution<std::int64_t>> executions;
  for (int i = 0; i < 200; ++i) executions.push_back(pool.submit<own_pid>());
  // At most one may be in the stopped one's hands.
  std::size_t ready = 0;
  while (ready < 199) {
    ready = 0;
    for (auto& each : executions) {
      if (each.wait_for(1ms)) ++ready;
    }
  }
  ::kill(stopped, SIGCONT);
  for (auto& each : executions) each.wait();
  for (int i = 0; i < 20; ++i) EXPECT_GT(pool.submit<own_pid>().get(), 0);
  EXPECT_EQ(pool.status().workers_lost, 0U);
}

TEST(OtherBinary, knows_tasks_by_name) {
  weft::Pool pool{{.limit = 1, .worker = {.binary = WEFT_OTHER_PROGRAM}}};
  EXPECT_EQ(pool.submit(weft::named<std::string(std::string)>("greet"), "weft").get(),
            "hello weft from another program");
  const weft::Buffer buffer = weft::Buffer::copy_of(std::string(100'000, 'b'));
  EXPECT_EQ(pool.submit(weft::named<weft::Buffer(weft::Buffer)>("same"), buffer).get().data(), buffer.data());
}

TEST(OtherBinary, can_be_a_context) {
  const auto adder = weft::named<int(int)>("add_to_each");
  auto context = weft::start_context<int, int>({.worker = {.binary = WEFT_OTHER_PROGRAM}}, adder, 10);
  for (int i = 0; i < 100; ++i) {
    context.channel().send(i);
    EXPECT_EQ(context.channel().receive(), i + 10);
  }
  EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(context.pid()) + "/exe"),
            WEFT_OTHER_PROGRAM);
  context.channel().close();
  EXPECT_EQ(context.join(), 100);
  EXPECT_FALSE(context.is_running());
}

TEST(OtherBinary, throws_without_a_trace) {
  weft::Pool pool{{.limit = 1, .worker = {.binary = WEFT_OTHER_PROGRAM}}};
  try {
    pool.submit(weft::named<void()>("refuse")).get();
    FAIL() << "it threw nothing";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "not here");
    EXPECT_EQ(dynamic_cast<const weft::TaskException&>(error).trace(), "")
        << "its addresses mean nothing here";
  }
}

void names_both_programs(const weft::UnknownTask& error) {
  const std::string text = error.what();
  const std::string own = std::filesystem::read_symlink("/proc/self/exe").string();
  EXPECT_NE(text.find(own + " asked for"), std::string::npos) << text;
  EXPECT_NE(text.find("the worker's binary " WEFT_OTHER_PROGRAM " "), std::string::npos) << text;
}

TEST(OtherBinary, does_not_know_tasks_of_this_one) {
  weft::Pool pool{{.limit = 1, .worker = {.binary = WEFT_OTHER_PROGRAM}}};
  try {
    pool.submit<identity>(1).get();
    FAIL() << "a function of another build was found";
  } catch (const weft::UnknownTask& error) {
    EXPECT_NE(std::string{error.what()}.find("identity"), std::string::npos) << error.what();
    EXPECT_NE(std::string{error.what()}.find("WEFT_TASK"), std::string::npos) << error.what();
    names_both_programs(error);
  }
  EXPECT_THROW(pool.submit([](int x) { return x; }, 1).get(), weft::UnknownTask);
  try {
    pool.submit(weft::named<int(int)>("greet"), 1).get();
    FAIL() << "a task of other types was found";
  } catch (const weft::UnknownTask& error) {
    EXPECT_NE(std::string{error.what()}.find("greet"), std::string::npos) << error.what();
    names_both_programs(error);
  }
  EXPECT_EQ(pool.submit(weft::named<std::string(std::string)>("greet"), "x").get(),
            "hello x from another program");
}

}  // namespace
