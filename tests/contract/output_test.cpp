// What workers print comes through whole, belongs to somebody, and holds up nobody.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKept = 64 * 1024;
constexpr std::size_t kFlood = 15'000'000;

int identity(int number) { return number; }
void say(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void complain(const std::string& text) { std::fputs(text.c_str(), stderr); }
void say_and_throw(const std::string& text) {
  say(text);
  throw std::out_of_range{"after it had spoken"};
}
void say_and_abort(const std::string& text) {
  say("on stdout\n");
  complain(text);
  std::abort();
}

/// `kFlood` bytes in lines of 100.
void flood() {
  const std::string line = std::string(99, 'x') + "\n";
  for (std::size_t i = 0; i < kFlood / line.size(); ++i) say(line);
}

/// Lines that are written in two halves, so that another worker's could get in between.
void say_halves(int task, int lines) {
  for (int i = 0; i < lines; ++i) {
    std::printf("begin %d %d %d", static_cast<int>(::getpid()), task, i);
    std::fflush(stdout);
    std::printf(" end\n");
  }
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// stdout of this program is `fd` for as long as this lives.
class Redirected {
 public:
  explicit Redirected(int fd) : saved_{::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10)} {
    std::fflush(stdout);
    ::dup2(fd, STDOUT_FILENO);
  }
  ~Redirected() {
    ::dup2(saved_, STDOUT_FILENO);
    ::close(saved_);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  int saved_;
};

std::string read_to_the_end(int fd) {
  std::string text;
  char buffer[65536];
  for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

TEST(OutputByLines, that_has_come_is_written_before_the_program_ends) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t program = ::fork();
  if (program == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::execl("/proc/self/exe", "output_test", "--speak-and-end", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  EXPECT_EQ(read_to_the_end(ends[0]), "at the last moment\n");
  ::close(ends[0]);
  int status = 0;
  ::waitpid(program, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(OutputByLines, of_several_workers_never_mixes_within_a_line) {
  constexpr int kTasks = 8;
  constexpr int kLines = 500;
  testing::internal::CaptureStdout();
  {
    weft::Pool pool{{.limit = 4, .worker = {.output = weft::Output::lines}}};
    std::vector<weft::Execution<void>> all;
    for (int task = 0; task < kTasks; ++task) all.push_back(pool.submit<say_halves>(task, kLines));
    for (auto& each : all) each.get();
    pool.shutdown();
  }
  std::istringstream printed{testing::internal::GetCapturedStdout()};
  std::map<int, int> next;
  int count = 0;
  for (std::string line; std::getline(printed, line); ++count) {
    int pid = 0;
    int task = 0;
    int number = 0;
    char rest[8] = {};
    ASSERT_EQ(std::sscanf(line.c_str(), "begin %d %d %d %5s", &pid, &task, &number, rest), 4) << line;
    ASSERT_EQ(line, "begin " + std::to_string(pid) + " " + std::to_string(task) + " " +
                        std::to_string(number) + " end");
    EXPECT_EQ(number, next[task]++) << "a worker's lines keep their order";
  }
  EXPECT_EQ(count, kTasks * kLines);
}

TEST(OutputByLines, goes_to_the_stream_it_was_meant_for_under_its_prefix) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  std::int64_t pid = 0;
  {
    weft::Pool pool{
        {.limit = 1, .worker = {.output = weft::Output::lines, .output_prefix = "[{worker}, {pid}] "}}};
    pool.submit<say>("one\ntwo\nthree").get();
    pool.submit<complain>("oh\n").get();
    pid = pool.status().pids.front();
    pool.shutdown();
  }
  const std::string out = testing::internal::GetCapturedStdout();
  const std::string err = testing::internal::GetCapturedStderr();
  const std::string prefix = "[1, " + std::to_string(pid) + "] ";
  EXPECT_EQ(out, prefix + "one\n" + prefix + "two\n" + prefix + "three\n");
  EXPECT_EQ(err, prefix + "oh\n");
}

TEST(OutputByLines, of_any_worker_names_it_where_that_is_wanted) {
  testing::internal::CaptureStdout();
  {
    weft::Pool pool{{.limit = 8, .worker = {.output = weft::Output::lines, .output_prefix = "[{worker}] "}}};
    pool.submit<say>("hello").get();
    pool.shutdown();
  }
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "[1] hello\n");
}

TEST(OutputByLines, cuts_a_line_without_end) {
  testing::internal::CaptureStdout();
  {
    weft::Pool pool{{.limit = 1, .worker = {.output = weft::Output::lines}}};
    pool.submit([] { say(std::string(1'000'000, 'y')); }).get();
    pool.shutdown();
  }
  const std::string out = testing::internal::GetCapturedStdout();
  EXPECT_EQ(std::count(out.begin(), out.end(), 'y'), 1'000'000);
  EXPECT_LT(std::count(out.begin(), out.end(), '\n'), 20);
  EXPECT_EQ(out.back(), '\n');
}

TEST(OutputByLines, of_fifteen_megabytes_that_nobody_takes_holds_up_its_own_worker_alone) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  std::string taken;
  {
    weft::Pool pool{{.limit = 2, .worker = {.output = weft::Output::lines}}};
    const Redirected redirected{ends[1]};
    auto loud = pool.submit<flood>();
    for (int i = 0; i < 200; ++i) EXPECT_EQ(pool.submit<identity>(i).get(), i);
    EXPECT_THROW(pool.submit([] { std::abort(); }).get(), weft::WorkerCrashed);
    EXPECT_EQ(pool.submit<identity>(1).get(), 1) << "another worker was started";
    EXPECT_FALSE(loud.ready()) << "there was room for all of it";
    ::close(ends[1]);
    std::thread reader{[&] {
      taken.resize(kFlood);
      std::size_t filled = 0;
      while (filled < kFlood) {
        const ssize_t got = ::read(ends[0], taken.data() + filled, kFlood - filled);
        if (got <= 0) break;
        filled += static_cast<std::size_t>(got);
      }
      taken.resize(filled);
    }};
    loud.get();
    pool.shutdown();
    reader.join();
  }
  ::close(ends[0]);
  EXPECT_EQ(taken.size(), kFlood);
  EXPECT_EQ(std::count(taken.begin(), taken.end(), '\n'), static_cast<std::ptrdiff_t>(kFlood / 100));
}

TEST(CapturedOutput, belongs_to_the_task_that_printed_it) {
  weft::Pool pool{{.limit = 1, .worker = {.output = weft::Output::capture}}};
  auto before = pool.submit<say>("before\n");
  auto failing = pool.submit<say_and_throw>("no newline");
  auto silent = pool.submit<identity>(1);
  auto after = pool.submit([] { std::cout << "after, " << std::flush, complain("on both streams\n"); });
  try {
    failing.get();
    FAIL();
  } catch (const std::out_of_range& error) {
    EXPECT_EQ(dynamic_cast<const weft::TaskException&>(error).output(), "no newline");
  }
  before.get();
  silent.get();
  after.get();
  EXPECT_EQ(before.output(), "before\n");
  EXPECT_EQ(failing.output(), "no newline");
  EXPECT_EQ(silent.output(), "");
  EXPECT_EQ(after.output(), "after, on both streams\n");
}

TEST(CapturedOutput, of_many_tasks_in_flight_is_told_apart) {
  weft::Pool pool{{.limit = 2, .worker = {.output = weft::Output::capture}}};
  std::vector<weft::Execution<void>> all;
  const auto said = [](int i) { return "task " + std::to_string(i) + std::string(1, '\0') + "\n"; };
  for (int i = 0; i < 3000; ++i) all.push_back(pool.submit<say>(said(i)));
  for (int i = 0; i < 3000; ++i) {
    auto& each = all[static_cast<std::size_t>(i)];
    each.get();
    ASSERT_EQ(each.output(), said(i));
  }
}

TEST(CapturedOutput, of_fifteen_megabytes_is_bounded) {
  weft::Pool pool{{.limit = 1, .worker = {.output = weft::Output::capture}}};
  auto loud = pool.submit<flood>();
  auto next = pool.submit<say>("next");
  loud.get();
  next.get();
  const std::string end = std::string(99, 'x') + "\n";
  EXPECT_EQ(loud.output().size(), kKept);
  EXPECT_TRUE(loud.output().ends_with(end));
  EXPECT_EQ(next.output(), "next");
}

TEST(CapturedOutput, goes_on_after_a_task_has_sent_stdout_elsewhere) {
  weft::Pool pool{{.limit = 1, .worker = {.output = weft::Output::capture}}};
  auto redirecting = pool.submit([] {
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDOUT_FILENO);
    ::close(null);
    say("into nothing\n");
  });
  auto next = pool.submit<complain>("still here\n");
  redirecting.get();
  next.get();
  EXPECT_EQ(redirecting.output(), "");
  EXPECT_EQ(next.output(), "still here\n");
}

TEST(LastWords, of_a_crash_are_in_its_error) {
  for (const weft::Output output : {weft::Output::lines, weft::Output::capture}) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    {
      weft::Pool pool{{.limit = 1, .worker = {.output = output}}};
      pool.submit<identity>(1).get();
      try {
        pool.submit<say_and_abort>("prog: file.cpp:12: Assertion `false' failed.\n").get();
        ADD_FAILURE();
      } catch (const weft::WorkerCrashed& error) {
        EXPECT_EQ(error.end().last_output, "on stdout\nprog: file.cpp:12: Assertion `false' failed.\n");
        EXPECT_NE(std::string{error.what()}.find("file.cpp:12: Assertion"), std::string::npos)
            << error.what();
      }
      pool.shutdown();
    }
    const std::string out = testing::internal::GetCapturedStdout();
    const std::string err = testing::internal::GetCapturedStderr();
    EXPECT_EQ(out, output == weft::Output::lines ? "on stdout\n" : "");
    EXPECT_EQ(err.find("Assertion") != std::string::npos, output == weft::Output::lines) << err;
  }
}

TEST(LastWords, of_an_exit_and_of_a_start_that_failed_are_in_their_errors) {
  weft::Pool pool{{.limit = 1, .worker = {.output = weft::Output::capture}}};
  try {
    pool.submit([] {
          say("giving up");
          std::fflush(stdout);
          std::_Exit(3);
        })
        .get();
    FAIL();
  } catch (const weft::WorkerExited& error) {
    EXPECT_EQ(error.end().last_output, "giving up");
  }
  weft::Pool unfit{{.limit = 1, .worker = {.binary = "/bin/ls", .output = weft::Output::capture}}};
  try {
    unfit.submit<identity>(1).get();
    FAIL();
  } catch (const weft::StartFailed& error) {
    EXPECT_NE(std::string{error.what()}.find("ls --help"), std::string::npos) << error.what();
  }
}

TEST(Output, leaves_no_descriptor) {
  const auto use = [](weft::Output output) {
    weft::Pool pool{{.limit = 3, .worker = {.output = output}}};
    std::vector<weft::Execution<void>> all;
    for (int i = 0; i < 3; ++i) all.push_back(pool.submit([] { std::this_thread::sleep_for(50ms); }));
    for (auto& each : all) each.get();
    EXPECT_THROW(pool.submit([] { std::abort(); }).get(), weft::WorkerCrashed);
    pool.shutdown();
  };
  testing::internal::CaptureStderr();
  use(weft::Output::lines);  // the threads stay
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 5; ++i) use(weft::Output::lines), use(weft::Output::capture);
  // The last pool is let go of when the attendant has done with it; the test's time limit is the watchdog.
  while (open_descriptors() > before) std::this_thread::sleep_for(1ms);
  testing::internal::GetCapturedStderr();
}

TEST(Output, refuses_a_prefix_where_nothing_is_printed) {
  EXPECT_THROW((weft::Pool{{.limit = 1, .worker = {.output_prefix = "> "}}}), weft::ArgumentError);
  EXPECT_THROW((weft::Pool{{.limit = 1, .worker = {.output = static_cast<weft::Output>(7)}}}),
               weft::ArgumentError);
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  if (argc == 2 && std::string{argv[1]} == "--speak-and-end") {
    static weft::Pool pool{{.limit = 1, .worker = {.output = weft::Output::lines}}};
    pool.submit<say>("at the last moment").get();
    return 0;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
