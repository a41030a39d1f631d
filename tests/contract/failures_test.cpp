// Whatever a task or its worker does, the program that asked goes on and knows what happened.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

std::size_t length(const weft::Buffer& buffer) { return buffer.size(); }
__attribute__((no_sanitize("undefined"))) int crash() {
  volatile int* nowhere = nullptr;
  return *nowhere;
}
__attribute__((no_sanitize("undefined", "address"))) int crash_at(std::uintptr_t address) {
  return *reinterpret_cast<volatile const int*>(address);
}
constexpr std::size_t kHoard = 64 << 20;
constexpr std::clock_t kBurnt = CLOCKS_PER_SEC / 10;
/// Uses that much memory and processor time, and then ends by `signal`, or exits if that is 0.
void use_up_and_end(int signal) {
  const std::vector<char> hoard(kHoard, 'x');
  while (std::clock() < kBurnt) {
  }
  signal != 0 ? static_cast<void>(::raise(signal)) : std::_Exit(hoard.back());
}
void overflow_the_stack(int depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  if (depth >= 0) overflow_the_stack(depth + frame[0] * 0 + 1);
  frame[1] = frame[0];
}
struct Private : std::runtime_error {
  using runtime_error::runtime_error;
};
void nested() {
  try {
    throw std::out_of_range{"the inner one"};
  } catch (...) {
    std::throw_with_nested(std::runtime_error{"the outer one"});
  }
}
[[gnu::noinline]] void throw_below(int depth) {
  if (depth == 0) throw Private{"from below"};
  throw_below(depth - 1);
  asm volatile("");  // not the last call, so that each has its frame
}
void throw_number() { throw 42; }
void throw_pointer() { throw "a literal"; }
int look_beyond_the_end(std::size_t index) { return std::vector<int>(3).at(index); }
void rethrow_later() {
  std::exception_ptr kept;
  try {
    throw_below(0);
  } catch (...) {
    kept = std::current_exception();
  }
  std::rethrow_exception(kept);
}
void catch_what_is_thrown() {
  try {
    throw_below(0);
  } catch (const Private&) {  // NOLINT(bugprone-empty-catch)
  }
}
int identity(int number) { return number; }
std::int64_t own_pid() { return ::getpid(); }

class Failures : public testing::Test {
 protected:
  weft::Pool pool{{.limit = 1}};
  void TearDown() override { EXPECT_EQ(pool.submit<identity>(7).get(), 7) << "the pool goes on"; }
};

TEST_F(Failures, rethrow_standard_exceptions_as_themselves) {
  auto execution = pool.submit([] { throw std::out_of_range{"too far"}; });
  EXPECT_THROW(execution.get(), std::out_of_range);
  try {
    execution.get();
  } catch (const weft::TaskException& error) {
    EXPECT_EQ(error.type(), "std::out_of_range");
    EXPECT_EQ(error.message(), "too far");
  }
}

TEST_F(Failures, tell_of_unknown_exceptions_by_type_and_text) {
  try {
    pool.submit([] { throw Private{"secret"}; }).get();
    FAIL();
  } catch (const weft::TaskFailed& error) {
    EXPECT_NE(error.type().find("Private"), std::string::npos) << error.type();
    EXPECT_EQ(error.message(), "secret");
    EXPECT_TRUE(error.verdict().worker_survived);
  }
  EXPECT_THROW(pool.submit([] { throw 42; }).get(), weft::TaskFailed);
}

TEST_F(Failures, keep_the_chain_of_nested_exceptions) {
  try {
    pool.submit<nested>().get();
    FAIL();
  } catch (const weft::TaskException& error) {
    ASSERT_EQ(error.chain().size(), 2U);
    EXPECT_EQ(error.chain()[1].type, "std::out_of_range");
    EXPECT_EQ(error.chain()[1].message, "the inner one");
  }
}

template <auto Task, class... Args>
std::string trace_of(weft::Pool& pool, Args... args) {
  try {
    pool.submit<Task>(args...).get();
  } catch (const weft::TaskException& error) {
    return error.trace();
  }
  return "it threw nothing";
}

TEST_F(Failures, tell_where_an_exception_was_thrown) {
  const std::string trace = trace_of<throw_below>(pool, 3);
  EXPECT_TRUE(trace.starts_with("#0 ")) << trace;
  EXPECT_LT(trace.find("throw_below"), trace.find('\n')) << trace;
  EXPECT_NE(trace.find("failures_test.cpp"), std::string::npos) << trace;
  EXPECT_EQ(trace.find("__cxa_throw"), std::string::npos) << trace;
  EXPECT_EQ(trace.find("weft::detail"), std::string::npos) << trace;
  EXPECT_NE(trace_of<throw_number>(pool).find("throw_number"), std::string::npos);
  EXPECT_NE(trace_of<throw_pointer>(pool).find("throw_pointer"), std::string::npos);
  EXPECT_NE(trace_of<look_beyond_the_end>(pool, std::size_t{9}).find("look_beyond_the_end"),
            std::string::npos);
  EXPECT_NE(trace_of<nested>(pool).find("nested"), std::string::npos);
  const std::string later = trace_of<rethrow_later>(pool);
  EXPECT_NE(later.find("rethrow_later"), std::string::npos) << later;
  pool.submit<catch_what_is_thrown>().get();
}

TEST_F(Failures, name_signal_address_and_function_of_a_crash) {
  try {
    pool.submit<crash>().get();
    FAIL();
  } catch (const weft::WorkerCrashed& error) {
    EXPECT_EQ(error.end().signal, SIGSEGV);
    EXPECT_NE(std::string{error.what()}.find("SIGSEGV"), std::string::npos) << error.what();
    EXPECT_NE(std::string{error.what()}.find("crash"), std::string::npos) << error.what();
    EXPECT_NE(error.trace().find("crash"), std::string::npos) << error.trace();
    EXPECT_TRUE(error.verdict().may_have_run);
    EXPECT_FALSE(error.verdict().worker_survived);
  }
}

TEST_F(Failures, tell_the_address_that_a_task_must_not_touch) {
  for (const std::uintptr_t address : {0x0U, 0x128U}) {
    try {
      pool.submit<crash_at>(address).get();
      FAIL();
    } catch (const weft::WorkerCrashed& error) {
      EXPECT_EQ(error.end().address, address);
      EXPECT_NE(std::string{error.what()}.find(address == 0 ? " 0x0" : " 0x128"), std::string::npos)
          << error.what();
    }
  }
}

void expect_used(const weft::WorkerEnd& end) {
  EXPECT_GE(end.cpu_time, 100ms);
  EXPECT_GE(end.memory_peak_bytes, kHoard);
  EXPECT_LT(end.memory_peak_bytes, std::uint64_t{1} << 34);
}

TEST_F(Failures, tell_what_the_worker_had_used) {
  try {
    pool.submit<use_up_and_end>(SIGABRT).get();
    FAIL();
  } catch (const weft::WorkerCrashed& error) {
    expect_used(error.end());
  }
  try {
    pool.submit<use_up_and_end>(0).get();
    FAIL();
  } catch (const weft::WorkerExited& error) {
    expect_used(error.end());
  }
}

TEST_F(Failures, survive_stack_overflow_abort_and_terminate) {
  EXPECT_THROW(pool.submit<overflow_the_stack>(0).get(), weft::WorkerCrashed);
  EXPECT_THROW(pool.submit([] { std::abort(); }).get(), weft::WorkerCrashed);
  try {
    pool.submit([] { std::thread{[] { throw std::logic_error{"out of a thread"}; }}.join(); }).get();
    FAIL();
  } catch (const weft::WorkerCrashed& error) {
    EXPECT_NE(error.end().reason.find("out of a thread"), std::string::npos) << error.end().reason;
  }
}

TEST_F(Failures, tell_the_code_of_an_exit) {
  for (const int code : {0, 3}) {
    try {
      pool.submit([](int with) { std::_Exit(with); }, code).get();
      FAIL();
    } catch (const weft::WorkerExited& error) {
      EXPECT_EQ(error.code(), code);
    }
  }
}

TEST_F(Failures, tell_the_usual_name_of_an_exit_code) {
  try {
    pool.submit([] { std::_Exit(EX_CONFIG); }).get();
    FAIL();
  } catch (const weft::WorkerExited& error) {
    EXPECT_EQ(error.code(), EX_CONFIG);
    EXPECT_NE(std::string{error.what()}.find("exited with code 78 (EX_CONFIG) while it ran"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(Failures, fail_only_what_had_begun_and_run_the_rest_elsewhere) {
  std::vector<weft::Execution<int>> before;
  for (int i = 0; i < 100; ++i) before.push_back(pool.submit<identity>(i));
  auto doomed = pool.submit<crash>();
  std::vector<weft::Execution<int>> after;
  for (int i = 0; i < 100; ++i) after.push_back(pool.submit<identity>(i));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(before[static_cast<std::size_t>(i)].get(), i);
  EXPECT_THROW(doomed.get(), weft::WorkerCrashed);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(after[static_cast<std::size_t>(i)].get(), i);
}

TEST_F(Failures, replace_a_worker_that_died_idle) {
  const auto pid = pool.submit<own_pid>().get();
  ::kill(static_cast<pid_t>(pid), SIGKILL);
  // Sent before or after the death is noticed: either way it has not begun there.
  const auto next = pool.submit<own_pid>().get();
  EXPECT_NE(next, pid);
}

TEST_F(Failures, wait_for_a_stopped_worker_rather_than_give_it_up) {
  const auto pid = static_cast<pid_t>(pool.submit<own_pid>().get());
  ::kill(pid, SIGSTOP);
  auto execution = pool.submit<own_pid>();
  EXPECT_FALSE(execution.wait_for(50ms));
  ::kill(pid, SIGCONT);
  EXPECT_EQ(execution.get(), pid);
}

/// As little as the kernel allows for what the sockets of this process may hold.
void narrow_all_sockets() {
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    const int fd = std::stoi(entry.path().filename().string());
    const int least = 0;
    static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least));
  }
}

TEST_F(Failures, wait_for_a_worker_whose_control_socket_is_full) {
  const auto pid = static_cast<pid_t>(pool.submit<own_pid>().get());
  ::kill(pid, SIGSTOP);
  narrow_all_sockets();
  // Each size has a chunk of its own, and each chunk is a message to the worker, which reads none.
  std::vector<weft::Execution<std::size_t>> executions;
  for (std::size_t bytes = 100; bytes < 4'000'000; bytes += bytes / 3) {
    executions.push_back(pool.submit<length>(weft::Buffer::copy_of(std::vector<std::byte>(bytes))));
  }
  EXPECT_NE(pool.status().queued, 0U) << "all of the chunks found room in the socket";
  EXPECT_FALSE(executions.back().wait_for(20ms));
  ::kill(pid, SIGCONT);
  std::size_t bytes = 100;
  for (auto& execution : executions) {
    EXPECT_EQ(execution.get(), bytes);
    bytes += bytes / 3;
  }
}

TEST_F(Failures, leave_results_sent_before_a_crash) {
  auto value = pool.submit<identity>(5);
  auto doomed = pool.submit<crash>();
  EXPECT_THROW(doomed.get(), weft::WorkerCrashed);
  EXPECT_EQ(value.get(), 5);
}

TEST_F(Failures, refuse_arguments_and_results_that_do_not_fit_the_types) {
  EXPECT_THROW(pool.submit([]() -> std::vector<int> { throw weft::EncodingError{"mine"}; }).get(),
               weft::EncodingError);
}

// Starting.

TEST(Starting, fails_one_submission_for_a_missing_binary_and_then_opens_the_circuit) {
  weft::Pool pool{{.limit = 1, .worker = {.binary = "/no/such/program"}}};
  for (int i = 0; i < 5; ++i) {
    try {
      pool.submit<identity>(1).get();
      FAIL();
    } catch (const weft::StartFailed& error) {
      EXPECT_NE(std::string{error.what()}.find("/no/such/program"), std::string::npos) << error.what();
    }
  }
  try {
    pool.submit<identity>(1).get();
    FAIL();
  } catch (const weft::StartFailed& error) {
    EXPECT_NE(std::string{error.what()}.find("5 starts failed"), std::string::npos) << error.what();
  }
}

void throwing_initializer() { throw std::runtime_error{"no model here"}; }
void crashing_initializer() { ::raise(SIGILL); }
bool initialized = false;
void good_initializer() { initialized = true; }
void endless_initializer() {
  for (;;) std::this_thread::sleep_for(1h);
}

TEST(Starting, tells_what_the_initializer_threw) {
  weft::Pool pool{{.limit = 1, .worker = {.initializer = weft::initializer<throwing_initializer>}}};
  try {
    pool.submit<identity>(1).get();
    FAIL();
  } catch (const weft::StartFailed& error) {
    EXPECT_NE(std::string{error.what()}.find("no model here"), std::string::npos) << error.what();
  }
}

TEST(Starting, tells_that_it_was_the_initializer_that_crashed) {
  for (const auto kind : {weft::WorkerKind::exec, weft::WorkerKind::zygote}) {
    weft::Pool pool{
        {.limit = 1, .worker = {.kind = kind, .initializer = weft::initializer<crashing_initializer>}}};
    try {
      pool.submit<identity>(1).get();
      FAIL();
    } catch (const weft::StartFailed& error) {
      const std::string words = error.what();
      EXPECT_NE(words.find("SIGILL"), std::string::npos) << words;
      EXPECT_NE(words.find("most likely in its initializer"), std::string::npos) << words;
      // Of a worker it is known that it does.
      EXPECT_EQ(words.find("weft::init first") == std::string::npos, kind == weft::WorkerKind::exec) << words;
    }
  }
}

TEST(Starting, runs_the_initializer_before_the_first_task) {
  weft::Pool pool{{.limit = 1, .worker = {.initializer = weft::initializer<good_initializer>}}};
  EXPECT_TRUE(pool.submit([] { return initialized; }).get());
}

TEST(Starting, gives_a_slow_start_up) {
  weft::Pool pool{
      {.limit = 1,
       .worker = {.initializer = weft::initializer<endless_initializer>, .start_timeout = 200ms}}};
  try {
    pool.submit<identity>(1).get();
    FAIL();
  } catch (const weft::StartFailed& error) {
    EXPECT_NE(std::string{error.what()}.find("200 ms"), std::string::npos) << error.what();
  }
}

TEST(Starting, tells_that_a_program_is_no_worker) {
  weft::Pool pool{{.limit = 1, .worker = {.binary = "/bin/true"}}};
  try {
    pool.submit<identity>(1).get();
    FAIL();
  } catch (const weft::StartFailed& error) {
    EXPECT_NE(std::string{error.what()}.find("weft::init"), std::string::npos) << error.what();
  }
}

TEST(Starting, refuses_a_limit_of_zero) { EXPECT_THROW(weft::Pool{{.limit = 0}}, weft::ArgumentError); }

}  // namespace
