// A process or thread of one's own: its channel, its end, its signals, its standard streams.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <boost/fiber/fiber.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/talking_tasks.hpp"

using namespace std::chrono_literals;
using boost::fibers::fiber;
using weft::contract::add_to_each;

namespace {

/// What is the same for contexts of both kinds.
class EachContext : public testing::TestWithParam<weft::WorkerKind> {
 protected:
  static weft::ContextOptions options() { return {.worker = {.kind = GetParam()}}; }
};
INSTANTIATE_TEST_SUITE_P(Of, EachContext, testing::Values(weft::WorkerKind::exec, weft::WorkerKind::thread),
                         [](const auto& each) {
                           return each.param == weft::WorkerKind::exec ? "a_process" : "a_thread";
                         });

TEST_P(EachContext, has_a_channel_and_an_end) {
  auto context = weft::start_context<add_to_each, int, int>(options(), 10);
  for (int i = 0; i < 100; ++i) {
    context.channel().send(i);
    EXPECT_EQ(context.channel().receive(), i + 10);
  }
  EXPECT_TRUE(context.is_running());
  EXPECT_FALSE(context.join_for(1ms));
  context.channel().close();
  EXPECT_EQ(context.join(), 100);
  EXPECT_EQ(context.join(), 100);
  EXPECT_FALSE(context.is_running());
}

TEST_P(EachContext, runs_lambdas_and_moves) {
  auto first = weft::start_context<int, int>(options(), [](weft::TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    return parent.receive();
  });
  auto context = std::move(first);
  context.channel().send(7);
  EXPECT_EQ(context.join(), 7);
}

TEST_P(EachContext, has_further_channels_by_key) {
  auto context = weft::start_context<int, int>(options(), [](weft::TaskScope& scope) {
    auto texts = scope.channel<std::string, std::string>("texts");
    texts.send(texts.receive() + "!");
  });
  auto texts = context.channel<std::string, std::string>("texts");
  texts.send("well");
  EXPECT_EQ(texts.receive(), "well!");
  context.join();
}

TEST_P(EachContext, tells_what_its_task_threw) {
  auto throwing = weft::start_context<int, int>(options(), [] { throw std::out_of_range{"too far"}; });
  EXPECT_THROW(throwing.join(), std::out_of_range);
  EXPECT_THROW(static_cast<void>(throwing.channel().receive()), weft::Closed);
}

TEST(Context, is_a_process) {
  auto context = weft::start_context<add_to_each, int, int>({}, 10);
  context.channel().send(1);
  EXPECT_EQ(context.channel().receive(), 11);
  EXPECT_GT(context.pid(), 0);
  EXPECT_NE(context.pid(), ::getpid());
  context.channel().close();
  EXPECT_EQ(context.join(), 1);
  EXPECT_EQ(context.pid(), 0);
  EXPECT_FALSE(context.signal(SIGTERM));
}

TEST(Context, tells_how_it_ended) {
  auto crashing = weft::start_context<int, int>({}, [] { ::raise(SIGSEGV); });
  EXPECT_THROW(crashing.join(), weft::WorkerCrashed);
  EXPECT_THROW(static_cast<void>(crashing.channel().receive()), weft::Closed);
  auto leaving = weft::start_context<int, int>({}, [] { ::_exit(3); });
  try {
    leaving.join();
    ADD_FAILURE() << "it has left";
  } catch (const weft::WorkerExited& error) {
    EXPECT_EQ(error.code(), 3);
  }
  weft::ContextOptions nowhere;
  nowhere.worker.binary = "/nowhere/program";
  auto missing = weft::start_context<add_to_each, int, int>(nowhere, 1);
  EXPECT_THROW(missing.join(), weft::StartFailed);
}

TEST(Context, is_told_by_signals) {
  auto context = weft::start_context<int, int>({}, [](weft::TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    static volatile sig_atomic_t seen = 0;
    ::signal(SIGUSR1, [](int) { seen = 1; });
    parent.send(1);
    while (seen == 0) weft::sleep_for(1ms);
    return 5;
  });
  EXPECT_EQ(context.channel().receive(), 1);
  EXPECT_TRUE(context.signal(SIGUSR1));
  EXPECT_EQ(context.join(), 5);
}

TEST_P(EachContext, can_be_killed) {
  auto context = weft::start_context<add_to_each, int, int>(options(), 1);
  context.channel().send(1);
  EXPECT_EQ(context.channel().receive(), 2);
  context.kill();
  EXPECT_THROW(context.join(), weft::WorkerKilled);
  EXPECT_THROW(context.channel().send(1), weft::Closed);
}

TEST(Context, ends_with_its_object) {
  std::int64_t pid = 0;
  {
    auto context = weft::start_context<add_to_each, int, int>({}, 1);
    context.channel().send(1);
    EXPECT_EQ(context.channel().receive(), 2);
    pid = context.pid();
    EXPECT_EQ(::kill(static_cast<pid_t>(pid), 0), 0);
  }
  while (::kill(static_cast<pid_t>(pid), 0) == 0) std::this_thread::yield();
}

TEST_P(EachContext, can_be_asked_to_stop) {
  auto context = weft::start_context<int, int>(options(), [](weft::TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    parent.send(1);
    for (;;) {
      scope.throw_if_stop_requested();
      weft::sleep_for(1ms);
    }
  });
  EXPECT_EQ(context.channel().receive(), 1);
  context.execution().cancel("enough");
  EXPECT_THROW(context.join(), weft::Cancelled);
}

/// Prints each line that it reads, and its length to stderr if asked to.
int read_aloud(bool with_lengths) {
  std::string line;
  int count = 0;
  for (; std::getline(std::cin, line); ++count) {
    std::cout << "read " << line << '\n' << std::flush;
    if (with_lengths) std::cerr << line.size() << '\n';
  }
  return count;
}

TEST(Context, has_its_standard_streams_here) {
  auto context = weft::start_context<read_aloud, int, int>(
      {.pipe_input = true, .pipe_output = true, .pipe_errors = true}, true);
  context.input().write("one\n");
  EXPECT_EQ(context.output().read_line(), "read one");
  EXPECT_EQ(context.errors().read_line(), "3");
  EXPECT_THROW(static_cast<void>(context.output().read_line_for(1ms)), weft::TimedOut);
  context.input().write("two\nhalf");
  EXPECT_EQ(context.output().read_line_for(1h), "read two");
  context.input().close();
  EXPECT_EQ(context.output().read_all(), "read half\n");
  EXPECT_EQ(context.errors().read(1), "3");
  EXPECT_EQ(context.errors().read_all(), "\n4\n");
  EXPECT_EQ(context.errors().read(), "");
  EXPECT_EQ(context.output().read_line(), std::nullopt);
  EXPECT_EQ(context.join(), 3);
  EXPECT_THROW(context.input().write("more"), weft::Closed);
}

TEST(Context, streams_much_without_holding_up_other_fibers) {
  auto context = weft::start_context<read_aloud, int, int>({.pipe_input = true, .pipe_output = true}, false);
  constexpr int kLines = 2'000;
  const std::string line(1'000, 'x');
  fiber writes{[&] {
    for (int i = 0; i < kLines; ++i) context.input().write(line + "\n");
    context.input().close();
  }};
  int lines = 0;
  for (; const auto read = context.output().read_line(); ++lines) EXPECT_EQ(read->size(), line.size() + 5);
  writes.join();
  EXPECT_EQ(lines, kLines);
  EXPECT_EQ(context.join(), kLines);
}

TEST(Context, whose_input_nobody_reads_raises_no_signal) {
  auto context = weft::start_context<int, int>({.pipe_input = true}, [](weft::TaskScope& scope) {
    ::close(0);
    auto parent = scope.channel<int, int>();
    parent.send(1);
    return parent.receive();
  });
  EXPECT_EQ(context.channel().receive(), 1);
  EXPECT_THROW(context.input().write("well?"), weft::Closed);
  context.channel().send(2);
  EXPECT_EQ(context.join(), 2);
}

TEST(Context, of_which_the_input_is_not_read_holds_up_its_writer_no_longer_than_asked) {
  auto context = weft::start_context<int, int>(
      {.pipe_input = true}, [](weft::TaskScope& scope) { return scope.channel<int, int>().receive(); });
  const std::string much(1U << 20, 'x');
  EXPECT_LT(context.input().write_for(5ms, much), much.size());
  context.channel().send(2);
  EXPECT_EQ(context.join(), 2);
}

TEST(Context, streams_come_to_their_end_when_it_dies) {
  auto context = weft::start_context<int, int>({.pipe_output = true}, [] {
    std::fputs("last words", stdout);
    std::fflush(stdout);
    ::raise(SIGKILL);
  });
  EXPECT_EQ(context.output().read_line(), "last words");
  EXPECT_EQ(context.output().read_line(), std::nullopt);
  EXPECT_THROW(context.join(), weft::WorkerCrashed);
}

TEST(Context, has_what_its_worker_options_say) {
  weft::ContextOptions options;
  options.worker.working_directory = "/";
  options.worker.environment = std::vector<std::string>{"GREETING=hello"};
  auto context = weft::start_context<int, int>(options, [] {
    const char* const greeting = std::getenv("GREETING");
    char directory[64] = {};
    return std::string{greeting == nullptr ? "" : greeting} + " " + ::getcwd(directory, sizeof directory);
  });
  EXPECT_EQ(context.join(), "hello /");
}

bool is_in_this_program = false;
std::atomic<bool> has_ended{false};

TEST(ContextOfAThread, shares_this_programs_memory) {
  auto context = weft::start_context<int, int>({.worker = {.kind = weft::WorkerKind::thread}},
                                               [] { is_in_this_program = true; });
  context.join();
  EXPECT_TRUE(is_in_this_program);
}

std::int64_t threads_here() {
  return std::distance(std::filesystem::directory_iterator{"/proc/self/task"}, {});
}

TEST(ContextOfAThread, ends_with_its_object_once_its_task_returns) {
  weft::start_context<int, int>({}, [] {}).join();  // the attendant stays
  const std::int64_t before = threads_here();
  {
    auto context = weft::start_context<int, int>(
        {.worker = {.kind = weft::WorkerKind::thread}}, [](weft::TaskScope& scope) {
          auto parent = scope.channel<int, int>();
          parent.send(1);
          EXPECT_THROW(static_cast<void>(parent.receive()), weft::Closed);
          const auto stop = scope.stop_token();
          while (!stop.stop_requested()) std::this_thread::yield();
          has_ended = true;
        });
    EXPECT_EQ(context.channel().receive(), 1);
  }
  while (threads_here() > before) std::this_thread::yield();
  EXPECT_TRUE(has_ended);
}

TEST(ContextOfAThread, has_nothing_of_a_process) {
  weft::ContextOptions options{.worker = {.kind = weft::WorkerKind::thread}};
  auto context = weft::start_context<add_to_each, int, int>(options, 1);
  EXPECT_THROW(static_cast<void>(context.pid()), weft::ArgumentError);
  EXPECT_THROW(context.signal(SIGTERM), weft::ArgumentError);
  EXPECT_THROW(context.input().write("x"), weft::Closed);
  EXPECT_EQ(context.output().read_line(), std::nullopt);
  context.channel().close();
  EXPECT_EQ(context.join(), 0);
  options.pipe_errors = true;
  EXPECT_THROW(static_cast<void>(weft::start_context<add_to_each, int, int>(options, 1)),
               weft::ArgumentError);
  options.pipe_errors = false;
  options.worker.environment.emplace();
  EXPECT_THROW(static_cast<void>(weft::start_context<add_to_each, int, int>(options, 1)),
               weft::ArgumentError);
}

TEST(Context, is_of_no_other_kind) {
  for (const weft::WorkerKind kind : {weft::WorkerKind::zygote, weft::WorkerKind::caller}) {
    weft::ContextOptions options;
    options.worker.kind = kind;
    EXPECT_THROW(static_cast<void>(weft::start_context<add_to_each, int, int>(options, 1)),
                 weft::ArgumentError);
  }
}

TEST(Context, prints_one_way) {
  weft::ContextOptions options{.pipe_output = true};
  options.worker.output = weft::Output::lines;
  EXPECT_THROW(static_cast<void>(weft::start_context<add_to_each, int, int>(options, 1)),
               weft::ArgumentError);
}

}  // namespace
