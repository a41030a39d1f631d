// Exceptions go to another process and come back as what they were. Here the wire is a vector of bytes.

#include <gtest/gtest.h>

#include <any>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <variant>
#include <weft/error.hpp>
#include <weft/exception.hpp>

#include "wire/failure.hpp"
#include "work/exceptions.hpp"
#include "work/trace.hpp"

namespace {

using weft::TaskException;
using weft::wire::FailureReport;

FailureReport through_the_wire(const FailureReport& report) {
  auto decoded = weft::wire::decode_failure(weft::wire::encode(report));
  EXPECT_TRUE(decoded) << decoded.fault().message;
  return decoded ? *decoded : FailureReport{};
}

/// What a task that throws `thrown` does to its caller.
template <class Thrown>
[[noreturn]] void throw_remotely(const Thrown& thrown) {
  FailureReport report = weft::work::describe(std::make_exception_ptr(thrown));
  report.trace = "#0 somewhere";
  weft::work::rethrow(through_the_wire(report), "printed");
}

template <class E>
void expect_comes_as_itself(const E& thrown) {
  try {
    throw_remotely(thrown);
  } catch (const E& caught) {
    EXPECT_STREQ(caught.what(), thrown.what());
    const auto* const task = dynamic_cast<const TaskException*>(&caught);
    ASSERT_NE(task, nullptr);
    EXPECT_EQ(task->message(), thrown.what());
    EXPECT_EQ(task->trace(), "#0 somewhere");
    EXPECT_EQ(task->output(), "printed");
    EXPECT_EQ(dynamic_cast<const weft::TaskFailed*>(&caught), nullptr);
  } catch (...) {
    ADD_FAILURE() << "something else than " << typeid(E).name();
  }
}

struct MyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Refusal : public std::exception {
 public:
  Refusal(int number, std::string reason) : number_{number}, reason_{std::move(reason)} {}
  [[nodiscard]] const char* what() const noexcept override { return "refused"; }
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  int number_;
  std::string reason_;
};

struct Unregistered : std::out_of_range {
  using std::out_of_range::out_of_range;
};

struct PlainError {  // No std::exception at all.
  int number = 0;
  std::string text;
};

}  // namespace

template <>
struct weft::Codec<Refusal> {
  static void encode(Encoder& encoder, const Refusal& refusal) {
    encoder.begin_vector();
    encoder.integer(refusal.number());
    encoder.text(refusal.reason());
    encoder.end_vector();
  }
  static Refusal decode(const Value& value) {
    return Refusal{weft::decode<int>(value[0]), weft::decode<std::string>(value[1])};
  }
};

WEFT_REGISTER_EXCEPTION(MyError);
WEFT_REGISTER_EXCEPTION(Refusal);
WEFT_REGISTER_EXCEPTION(PlainError);

namespace {

TEST(Exceptions, of_the_standard_library_come_as_themselves) {
  expect_comes_as_itself(std::exception{});
  expect_comes_as_itself(std::bad_exception{});
  expect_comes_as_itself(std::bad_alloc{});
  expect_comes_as_itself(std::bad_array_new_length{});
  expect_comes_as_itself(std::bad_cast{});
  expect_comes_as_itself(std::bad_typeid{});
  expect_comes_as_itself(std::bad_any_cast{});
  expect_comes_as_itself(std::bad_function_call{});
  expect_comes_as_itself(std::bad_optional_access{});
  expect_comes_as_itself(std::bad_variant_access{});
  expect_comes_as_itself(std::bad_weak_ptr{});
  expect_comes_as_itself(std::logic_error{"logic"});
  expect_comes_as_itself(std::invalid_argument{"argument"});
  expect_comes_as_itself(std::domain_error{"domain"});
  expect_comes_as_itself(std::length_error{"length"});
  expect_comes_as_itself(std::out_of_range{"range"});
  expect_comes_as_itself(std::runtime_error{""});
  expect_comes_as_itself(std::range_error{"range"});
  expect_comes_as_itself(std::overflow_error{"overflow"});
  expect_comes_as_itself(std::underflow_error{"underflow"});
  expect_comes_as_itself(std::ios_base::failure{"io", std::io_errc::stream});
}

TEST(Exceptions, keep_their_codes_and_paths) {
  const std::system_error system{ENOSPC, std::generic_category(), "writing"};
  expect_comes_as_itself(system);
  EXPECT_THROW(
      {
        try {
          throw_remotely(system);
        } catch (const std::system_error& error) {
          EXPECT_EQ(error.code(), std::errc::no_space_on_device);
          throw;
        }
      },
      TaskException);

  const std::filesystem::filesystem_error file{"cannot copy", "/a", "/b",
                                               std::make_error_code(std::errc::file_exists)};
  expect_comes_as_itself(file);
  try {
    throw_remotely(file);
  } catch (const std::filesystem::filesystem_error& error) {
    EXPECT_EQ(error.path1(), "/a");
    EXPECT_EQ(error.path2(), "/b");
    EXPECT_EQ(error.code(), std::errc::file_exists);
  }

  const std::regex_error regex{std::regex_constants::error_brack};
  expect_comes_as_itself(regex);
  try {
    throw_remotely(regex);
  } catch (const std::regex_error& error) {
    EXPECT_EQ(error.code(), std::regex_constants::error_brack);
  }

  const std::future_error future{std::future_errc::no_state};
  expect_comes_as_itself(future);
  try {
    throw_remotely(future);
  } catch (const std::future_error& error) {
    EXPECT_EQ(error.code(), std::future_errc::no_state);
  }
}

TEST(Exceptions, keep_the_name_of_a_category_that_nobody_knows) {
  class Weather : public std::error_category {
   public:
    [[nodiscard]] const char* name() const noexcept override { return "weather"; }
    [[nodiscard]] std::string message(int) const override { return "rain"; }
  };
  static const Weather weather;
  try {
    throw_remotely(std::system_error{3, weather});
  } catch (const std::system_error& error) {
    EXPECT_STREQ(error.code().category().name(), "weather");
    EXPECT_EQ(error.code().value(), 3);
    EXPECT_STREQ(error.what(), "rain");
  }
}

TEST(Exceptions, of_weft_come_as_themselves_and_say_that_the_task_ran) {
  expect_comes_as_itself(weft::EncodingError{"weft: cannot"});
  expect_comes_as_itself(weft::TimedOut{"too late", {}});
  expect_comes_as_itself(weft::Exhausted{"RLIMIT_NOFILE"});
  expect_comes_as_itself(weft::Cancelled{"by the user", true});
  try {
    throw_remotely(weft::EncodingError{"x"});
  } catch (const weft::Error& error) {
    EXPECT_TRUE(error.verdict().may_have_run);
    EXPECT_FALSE(error.verdict().retry_is_safe);
    EXPECT_TRUE(error.verdict().worker_survived);
  }
}

TEST(Exceptions, of_a_worker_of_the_worker_do_not_look_like_this_worker_s) {
  const weft::WorkerCrashed crashed{"worker 5 died of SIGSEGV", {}, nullptr};
  try {
    throw_remotely(crashed);
  } catch (const weft::TaskFailed& failed) {
    EXPECT_EQ(failed.type(), "weft::WorkerCrashed");
    EXPECT_EQ(failed.message(), "worker 5 died of SIGSEGV");
    EXPECT_TRUE(failed.verdict().worker_survived);
  }
}

TEST(Exceptions, that_are_registered_come_as_themselves) {
  expect_comes_as_itself(MyError{"mine"});
  expect_comes_as_itself(Refusal{7, "no"});
  try {
    throw_remotely(Refusal{7, "no"});
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.number(), 7);
    EXPECT_EQ(refusal.reason(), "no");
  }
  try {
    throw_remotely(PlainError{3, "plain"});
  } catch (const PlainError& error) {
    EXPECT_EQ(error.number, 3);
    EXPECT_EQ(error.text, "plain");
    EXPECT_NE(
        dynamic_cast<const TaskException*>(static_cast<const weft::detail::Remote<PlainError>*>(&error)),
        nullptr);
  }
}

TEST(Exceptions, that_nobody_registered_come_as_TaskFailed) {
  try {
    throw_remotely(Unregistered{"too far"});
  } catch (const weft::TaskFailed& failed) {
    EXPECT_NE(failed.type().find("Unregistered"), std::string::npos);
    EXPECT_EQ(failed.message(), "too far");
    EXPECT_NE(std::string{failed.what()}.find("Unregistered: too far"), std::string::npos);
    EXPECT_TRUE(failed.verdict().may_have_run);
    EXPECT_EQ(failed.trace(), "#0 somewhere");
  }
}

TEST(Exceptions, that_are_no_std_exception_are_described) {
  const auto message_of = [](const auto& thrown) {
    try {
      throw_remotely(thrown);
    } catch (const weft::TaskFailed& failed) {
      return failed.type() + ": " + failed.message();
    }
  };
  EXPECT_EQ(message_of(42), "int: 42");
  EXPECT_EQ(message_of(std::string{"text"}),
            "std::basic_string<char, std::char_traits<char>, std::allocator<char> >: text");
  EXPECT_EQ(message_of(static_cast<const char*>("literal")), "char const*: literal");
  EXPECT_EQ(message_of(1.5), "double: a value that is no std::exception");
  EXPECT_EQ(weft::work::describe(nullptr).chain.size(), 1U);
}

TEST(Exceptions, keep_what_is_nested_in_them) {
  std::exception_ptr outermost;
  try {
    try {
      try {
        throw Unregistered{"inner"};
      } catch (...) {
        std::throw_with_nested(MyError{"middle"});
      }
    } catch (...) {
      std::throw_with_nested(std::runtime_error{"outer"});
    }
  } catch (...) {
    outermost = std::current_exception();
  }
  try {
    weft::work::rethrow(through_the_wire(weft::work::describe(outermost)));
  } catch (const std::runtime_error& error) {
    const auto& task = dynamic_cast<const TaskException&>(error);
    ASSERT_EQ(task.chain().size(), 3U);
    EXPECT_EQ(task.type(), "std::runtime_error");
    EXPECT_NE(task.chain()[1].type.find("MyError"), std::string::npos);
    EXPECT_EQ(task.chain()[1].type.find("_Nested_exception"), std::string::npos);
    EXPECT_EQ(task.chain()[2].message, "inner");
  }
}

TEST(Exceptions, pass_through_a_worker_unchanged) {
  const auto twice = [](const auto& thrown) {
    try {
      throw_remotely(thrown);
    } catch (...) {
      weft::work::rethrow(through_the_wire(weft::work::describe(std::current_exception())));
    }
  };
  try {
    twice(std::out_of_range{"far"});
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "far");
    EXPECT_EQ(dynamic_cast<const TaskException&>(error).trace(), "#0 somewhere");
  }
  try {
    twice(Refusal{8, "still no"});
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.number(), 8);
  }
  try {
    twice(Unregistered{"x"});
  } catch (const weft::TaskFailed& failed) {
    EXPECT_NE(failed.type().find("Unregistered"), std::string::npos);
    EXPECT_EQ(failed.chain().size(), 1U);
  }
}

TEST(Exceptions, come_as_TaskFailed_when_their_value_is_damaged) {
  FailureReport report = weft::work::describe(std::make_exception_ptr(Refusal{7, "no"}));
  ASSERT_FALSE(report.value.empty());
  report.value.resize(report.value.size() / 2);
  EXPECT_THROW(weft::work::rethrow(report), weft::TaskFailed);
  report.value.clear();
  EXPECT_THROW(weft::work::rethrow(report), weft::TaskFailed);
}

TEST(Failures, come_as_the_error_of_their_kind) {
  FailureReport report;
  report.message = "because";
  using Kind = FailureReport::Kind;
  report.kind = Kind::unknown_task;
  EXPECT_THROW(weft::work::rethrow(report), weft::UnknownTask);
  report.kind = Kind::encoding;
  EXPECT_THROW(weft::work::rethrow(report), weft::EncodingError);
  report.kind = Kind::cancelled;
  EXPECT_THROW(weft::work::rethrow(report), weft::Cancelled);
  report.kind = Kind::timed_out;
  EXPECT_THROW(weft::work::rethrow(report), weft::TimedOut);
  report.kind = Kind::exhausted;
  EXPECT_THROW(weft::work::rethrow(report), weft::Exhausted);
  report.kind = Kind::closed;
  EXPECT_THROW(weft::work::rethrow(report), weft::Closed);
}

TEST(Errors, say_what_the_caller_can_do) {
  EXPECT_STREQ(weft::NotInitialized{}.what(),
               "weft::init(argc, argv) was not called: call it first thing in main(), before a pool is used");
  EXPECT_STREQ(weft::Cancelled{"the user said so"}.what(), "the task was cancelled: the user said so");
  EXPECT_TRUE(weft::Cancelled{""}.verdict().retry_is_safe);
  EXPECT_FALSE((weft::Cancelled{"", true}.verdict().retry_is_safe));
  EXPECT_FALSE((weft::WorkerKilled{"killed", true}.verdict().worker_survived));
  weft::WorkerEnd end;
  end.exit_code = 3;
  const weft::WorkerExited exited{"exited", end};
  EXPECT_EQ(exited.code(), 3);
  EXPECT_TRUE(exited.verdict().may_have_run);
}

TEST(Errors, make_a_crash_s_trace_once_and_when_asked) {
  struct Counting : weft::WorkerCrashed::Trace {
    explicit Counting(int& calls) : calls_{calls} {}
    std::string make() override { return "#" + std::to_string(calls_++); }
    int& calls_;
  };
  int calls = 0;
  const weft::WorkerCrashed crashed{"crashed", {}, std::make_shared<Counting>(calls)};
  EXPECT_EQ(calls, 0);
  const weft::WorkerCrashed copy = crashed;
  EXPECT_EQ(crashed.trace(), "#0");
  EXPECT_EQ(copy.trace(), "#0");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ((weft::WorkerCrashed{"crashed", {}, nullptr}.trace()), "");
}

}  // namespace
