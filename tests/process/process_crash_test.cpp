// What a worker that crashes leaves in its black box, and the trace that is made of it.

#include <execinfo.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "process/process_child.hpp"
#include "process/symbolize.hpp"

namespace weft::process::test {

namespace {

/// The first frame of the trace in that function; one past the end if there is none.
std::size_t find_frame(const std::vector<Frame>& frames, std::string_view function) {
  const auto found = std::find_if(frames.begin(), frames.end(), [&](const Frame& frame) {
    return frame.function.find(function) != std::string::npos;
  });
  return static_cast<std::size_t>(found - frames.begin());
}

void expect_killed_by(const Ending& ending, int signal) {
  EXPECT_TRUE(ending.status.known);
  EXPECT_TRUE(ending.status.signalled) << describe(ending.status);
  EXPECT_EQ(ending.status.code, signal) << describe(ending.status);
  EXPECT_TRUE(ending.record.crashed);
  EXPECT_TRUE(ending.record.complete);
  EXPECT_EQ(ending.record.signal, signal);
}

}  // namespace

TEST(BlackBox, tells_where_a_worker_wrote_to_null) {
  const Ending ending = run("write_to_null");
  expect_killed_by(ending, SIGSEGV);
  EXPECT_EQ(ending.record.address, 0U);
  EXPECT_EQ(describe(ending.record), "SIGSEGV (Segmentation fault) at address 0x0: address not mapped");
  EXPECT_FALSE(ending.record.looks_like_stack_overflow());
  const std::vector<Frame> frames = symbolize(ending.record);
  ASSERT_GE(frames.size(), 3U);
  EXPECT_EQ(frames[0].function, "write_to_null()") << format_trace(frames);
  EXPECT_TRUE(frames[0].file.ends_with("process_child.cpp")) << format_trace(frames);
  EXPECT_GT(frames[0].line, 0);
  EXPECT_LT(find_frame(frames, "play_role"), find_frame(frames, "main")) << format_trace(frames);
  EXPECT_LT(find_frame(frames, "main"), frames.size()) << format_trace(frames);
  EXPECT_TRUE(format_trace(frames).starts_with("#0 write_to_null() at ")) << format_trace(frames);
}

TEST(BlackBox, tells_who_called_through_a_null_pointer) {
  const Ending ending = run("call_nowhere");
  expect_killed_by(ending, SIGSEGV);
  const std::vector<Frame> frames = symbolize(ending.record);
  ASSERT_GE(frames.size(), 3U);
  EXPECT_EQ(frames[0].address, 0U);
  EXPECT_EQ(frames[1].function, "call_nowhere()") << format_trace(frames);
  EXPECT_LT(find_frame(frames, "main"), frames.size()) << format_trace(frames);
}

TEST(BlackBox, tells_the_function_that_was_inlined) {
  const Ending ending = run("crash_in_inlined_function");
  expect_killed_by(ending, SIGSEGV);
  const std::vector<Frame> frames = symbolize(ending.record);
  ASSERT_GE(frames.size(), 3U);
  EXPECT_NE(frames[0].function.find("inlined_crash"), std::string::npos) << format_trace(frames);
  EXPECT_TRUE(frames[0].inlined);
  EXPECT_EQ(frames[1].function, "crash_in_inlined_function()") << format_trace(frames);
  EXPECT_FALSE(frames[1].inlined);
  EXPECT_EQ(frames[0].address, frames[1].address);
  EXPECT_NE(frames[0].line, frames[1].line);
}

TEST(BlackBox, records_the_overflow_of_the_main_stack) {
  const Ending ending = run("overflow");
  expect_killed_by(ending, SIGSEGV);
  EXPECT_TRUE(ending.record.looks_like_stack_overflow()) << describe(ending.record);
  EXPECT_EQ(ending.record.frames.size(), kCrashFramesMax);
  const std::vector<Frame> frames = symbolize(ending.record);
  EXPECT_EQ(find_frame(frames, "recurse_without_end"), 0U) << format_trace(frames);
  EXPECT_LT(format_trace(frames).size(), 2000U) << "repeated frames are not folded:\n"
                                                << format_trace(frames);
}

TEST(BlackBox, records_the_overflow_of_a_fibers_stack) {
  const Ending ending = run("overflow_fiber");
  expect_killed_by(ending, SIGSEGV);
  EXPECT_TRUE(ending.record.looks_like_stack_overflow()) << describe(ending.record);
  EXPECT_EQ(find_frame(symbolize(ending.record), "recurse_without_end"), 0U);
}

TEST(BlackBox, records_the_overflow_of_a_threads_stack_that_has_an_alternate_one) {
  const Ending ending = run("overflow_thread");
  expect_killed_by(ending, SIGSEGV);
  EXPECT_TRUE(ending.record.looks_like_stack_overflow()) << describe(ending.record);
  EXPECT_EQ(find_frame(symbolize(ending.record), "recurse_without_end"), 0U);
}

#if defined(__SANITIZE_THREAD__)
#define WEFT_TEST_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TEST_UNDER_TSAN 1
#endif
#endif

#if defined(__x86_64__)
TEST(BlackBox, keeps_what_it_has_when_the_stack_cannot_be_unwound) {
  // The unwinder crashes: with another signal, which must not be taken for the one that it began with.
  const Ending ending = run("break_the_stack");
  EXPECT_TRUE(ending.status.signalled);
#if !defined( \
    WEFT_TEST_UNDER_TSAN)  // which calls handlers with all signals blocked, so the second one kills at once
  EXPECT_EQ(describe(ending.status), "killed by SIGILL (Illegal instruction)");
#endif
  EXPECT_TRUE(ending.record.crashed);
  EXPECT_EQ(ending.record.signal, SIGILL);
  EXPECT_EQ(ending.record.frames.size(), 1U);
  EXPECT_EQ(find_frame(symbolize(ending.record), "break_the_stack"), 0U);
}
#endif

TEST(BlackBox, records_a_division_by_zero) {
  const Ending ending = run("divide_by_zero");
  expect_killed_by(ending, SIGFPE);
  EXPECT_NE(describe(ending.record).find("integer division by zero"), std::string::npos);
  EXPECT_EQ(find_frame(symbolize(ending.record), "divide_by_zero"), 0U);
}

TEST(BlackBox, records_a_bus_error) {
  const Ending ending = run("truncated_file");
  expect_killed_by(ending, SIGBUS);
  EXPECT_EQ(find_frame(symbolize(ending.record), "touch_a_truncated_file"), 0U);
}

TEST(BlackBox, records_signals_that_would_not_happen_again_by_themselves) {
  expect_killed_by(run("abort"), SIGABRT);
  expect_killed_by(run("trap"), SIGTRAP);
  expect_killed_by(run("illegal"), SIGILL);
  expect_killed_by(run("sys"), SIGSYS);
}

TEST(BlackBox, records_one_crash_when_two_threads_crash_at_once) {
  const Ending ending = run("two_threads");
  expect_killed_by(ending, SIGSEGV);
  EXPECT_EQ(find_frame(symbolize(ending.record), "write_to_null"), 0U);
}

TEST(BlackBox, records_a_crash_where_no_descriptor_is_left_to_read_the_mappings) {
  const Ending ending = run("no_descriptors");
  expect_killed_by(ending, SIGSEGV);
  EXPECT_GE(ending.record.frames.size(), 3U);
  EXPECT_TRUE(ending.record.mappings.empty());
  EXPECT_TRUE(format_trace(symbolize(ending.record)).starts_with("#0 0x"));
}

TEST(BlackBox, traces_a_crash_in_a_shared_library_back_to_its_caller) {
  const Ending ending = run("crash_in_libc");
  expect_killed_by(ending, SIGSEGV);
  EXPECT_LT(ending.record.address, 16U * 1024);
  const std::vector<Frame> frames = symbolize(ending.record);
  EXPECT_LT(find_frame(frames, "play_role"), frames.size()) << format_trace(frames);
}

TEST(BlackBox, records_the_type_and_message_of_an_exception_that_nobody_caught) {
  const Ending ending = run("throw");
  expect_killed_by(ending, SIGABRT);
  ASSERT_TRUE(ending.record.exception);
  EXPECT_NE(ending.record.exception->type.find("AwkwardError"), std::string::npos)
      << ending.record.exception->type;
  EXPECT_EQ(ending.record.exception->message, "two?[31m lines\nof trouble");
  const std::vector<Frame> frames = symbolize(ending.record);
  EXPECT_LT(find_frame(frames, "play_role"), frames.size()) << format_trace(frames);
}

TEST(BlackBox, records_exceptions_that_are_no_std_exception) {
  const Ending custom = run("throw_custom");
  expect_killed_by(custom, SIGABRT);
  ASSERT_TRUE(custom.record.exception);
  EXPECT_NE(custom.record.exception->type.find("CustomError"), std::string::npos);
  EXPECT_EQ(custom.record.exception->message, "");

  const Ending text = run("throw_text");
  ASSERT_TRUE(text.record.exception);
  EXPECT_EQ(text.record.exception->message, "just a text");
}

TEST(BlackBox, records_a_call_of_terminate_without_an_exception) {
  const Ending ending = run("terminate");
  expect_killed_by(ending, SIGABRT);
  ASSERT_TRUE(ending.record.exception);
  EXPECT_EQ(ending.record.exception->type, "");
}

TEST(BlackBox, keeps_note_and_activity_of_a_worker_that_exited) {
  const Ending ending = run("exit_in_task");
  EXPECT_EQ(describe(ending.status), "exited with code 3");
  EXPECT_FALSE(ending.record.crashed);
  EXPECT_EQ(ending.record.note, "exit(3) called inside a task");
  EXPECT_EQ(ending.record.function, 17U);
  EXPECT_EQ(ending.record.task, 4U);
  EXPECT_EQ(ending.record.flags, 99U);
}

TEST(BlackBox, holds_no_crash_after_a_kill) {
  const Ending ending = run("killed");
  EXPECT_EQ(describe(ending.status), "killed by SIGKILL (Killed)");
  EXPECT_FALSE(ending.record.crashed);
  EXPECT_FALSE(ending.record.exception);
  EXPECT_EQ(describe(ending.record), "");
}

TEST(Symbolize, names_the_callers_in_this_process) {
  void* addresses[32];
  const int count = ::backtrace(addresses, 32);
  const std::vector<Frame> frames = symbolize_local({addresses, static_cast<std::size_t>(count)});
  EXPECT_LT(find_frame(frames, "names_the_callers_in_this_process"), find_frame(frames, "main"))
      << format_trace(frames);
  EXPECT_LT(find_frame(frames, "main"), frames.size()) << format_trace(frames);
}

TEST(Symbolize, leaves_module_and_offset_where_the_file_is_missing_or_no_program) {
  CrashRecord record;
  record.frames = {0x1234, 0x55501, 0x66601, 0x77701};
  record.mappings = {{0x1000, 0x2000, 0x3000, "/nowhere/libgone.so"},
                     {0x55000, 0x56000, 0, "/dev/zero"},
                     {0x66000, 0x67000, 0, "/etc/passwd"}};
  const std::vector<Frame> frames = symbolize(record);
  ASSERT_EQ(frames.size(), 4U);
  EXPECT_EQ(format_trace(frames),
            "#0 0x1234 in /nowhere/libgone.so+0x3234\n"
            "#1 0x55501 in /dev/zero+0x501\n"
            "#2 0x66601 in /etc/passwd+0x601\n"
            "#3 0x77701\n");
}

TEST(Symbolize, survives_mappings_that_overlap_repeat_and_wrap_around) {
  CrashRecord record = run("write_to_null").record;
  ASSERT_FALSE(record.mappings.empty());
  const Mapping real = record.mappings[0];
  record.mappings.push_back(real);
  record.mappings.push_back({real.begin + 1, real.end + 1, real.file_offset, real.path});
  record.mappings.push_back({1, UINT64_MAX, UINT64_MAX, real.path});
  record.mappings.push_back({UINT64_MAX - 4096, UINT64_MAX, real.file_offset, real.path});
  record.frames.push_back(UINT64_MAX - 1);
  record.frames.push_back(0);
  record.frames.push_back(UINT64_MAX);
  const std::vector<Frame> frames = symbolize(record);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].function, "write_to_null()") << format_trace(frames);
}

TEST(Symbolize, leaves_no_descriptor_open) {
  CrashRecord record = run("write_to_null").record;
  record.mappings.push_back(record.mappings.at(0));
  const auto lowest_free = [] { return base::UniqueFd{::dup(0)}.get(); };
  static_cast<void>(symbolize(record));
  const int before = lowest_free();
  static_cast<void>(symbolize(record));
  EXPECT_EQ(lowest_free(), before);
}

TEST(Symbolize, folds_runs_of_one_frame) {
  Frame frame;
  frame.address = 0x10;
  frame.function = "again(int)";
  frame.file = "a.cpp";
  frame.line = 12;
  std::vector<Frame> frames(3, frame);
  frames.push_back({});
  EXPECT_EQ(format_trace(frames), "#0 again(int) at a.cpp:12 (3 times)\n#3 0x0\n");
}

}  // namespace weft::process::test
