// A process of one's own: its channel, its end, its signals, its standard streams.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/fiber/fiber.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;
using boost::fibers::fiber;

namespace {

/// Adds to each number that comes, until there are no more; gives how many came.
int adder(weft::TaskScope& scope, int more) {
  auto parent = scope.channel<int, int>();
  int count = 0;
  try {
    for (;; ++count) parent.send(parent.receive() + more);
  } catch (const weft::Closed&) {
  }
  return count;
}

TEST(Context, is_a_process_with_a_channel_and_an_end) {
  auto context = weft::start_context<adder, int, int>({}, 10);
  for (int i = 0; i < 100; ++i) {
    context.channel().send(i);
    EXPECT_EQ(context.channel().receive(), i + 10);
  }
  EXPECT_TRUE(context.is_running());
  EXPECT_NE(context.pid(), ::getpid());
  EXPECT_FALSE(context.join_for(1ms));
  context.channel().close();
  EXPECT_EQ(context.join(), 100);
  EXPECT_EQ(context.join(), 100);
  EXPECT_FALSE(context.is_running());
  EXPECT_FALSE(context.signal(SIGTERM));
}

TEST(Context, runs_lambdas_and_moves) {
  auto first = weft::start_context<int, int>({}, [](weft::TaskScope& scope) {
    auto parent = scope.channel<int, int>();
    return parent.receive();
  });
  auto context = std::move(first);
  context.channel().send(7);
  EXPECT_EQ(context.join(), 7);
}

TEST(Context, has_further_channels_by_key) {
  auto context = weft::start_context<int, int>({}, [](weft::TaskScope& scope) {
    auto texts = scope.channel<std::string, std::string>("texts");
    texts.send(texts.receive() + "!");
  });
  auto texts = context.channel<std::string, std::string>("texts");
  texts.send("well");
  EXPECT_EQ(texts.receive(), "well!");
  context.join();
}

TEST(Context, tells_how_it_ended) {
  auto throwing = weft::start_context<int, int>({}, [] { throw std::out_of_range{"too far"}; });
  EXPECT_THROW(throwing.join(), std::out_of_range);
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
  auto missing = weft::start_context<adder, int, int>(nowhere, 1);
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

TEST(Context, can_be_killed) {
  auto context = weft::start_context<adder, int, int>({}, 1);
  context.channel().send(1);
  EXPECT_EQ(context.channel().receive(), 2);
  context.kill();
  EXPECT_THROW(context.join(), weft::WorkerKilled);
  EXPECT_THROW(context.channel().send(1), weft::Closed);
}

TEST(Context, ends_with_its_object) {
  std::int64_t pid = 0;
  {
    auto context = weft::start_context<adder, int, int>({}, 1);
    context.channel().send(1);
    EXPECT_EQ(context.channel().receive(), 2);
    pid = context.pid();
    EXPECT_EQ(::kill(static_cast<pid_t>(pid), 0), 0);
  }
  while (::kill(static_cast<pid_t>(pid), 0) == 0) std::this_thread::yield();
}

TEST(Context, can_be_asked_to_stop) {
  auto context = weft::start_context<int, int>({}, [](weft::TaskScope& scope) {
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

TEST(Context, prints_one_way) {
  weft::ContextOptions options{.pipe_output = true};
  options.worker.output = weft::Output::lines;
  EXPECT_THROW(static_cast<void>(weft::start_context<adder, int, int>(options, 1)), weft::ArgumentError);
}

}  // namespace
