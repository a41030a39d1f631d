#include "work/exceptions.hpp"

#include <cxxabi.h>

#include <filesystem>
#include <future>
#include <mutex>
#include <new>
#include <optional>
#include <regex>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <weft/error.hpp>
#include <weft/exception.hpp>

#include "process/allowance.hpp"
#include "work/standard_exceptions.hpp"
#include "work/throw_trace.hpp"
#include "work/trace.hpp"

namespace weft {

namespace {

/// The types that somebody registered, by name: type_info objects differ between processes.
struct Registry {
  std::mutex lock;
  std::unordered_map<std::string, detail::ExceptionCodec> codecs;
};

/// Never destroyed: tasks may throw while the program ends. Made when first used: types are registered before main.
Registry& registry() {
  static Registry& only = *new Registry;
  return only;
}

std::optional<detail::ExceptionCodec> find_codec(const std::string& type) {
  Registry& all = registry();
  const std::lock_guard guard{all.lock};
  const auto found = all.codecs.find(type);
  if (found == all.codecs.end()) return std::nullopt;
  return found->second;
}

}  // namespace

void detail::add_exception(const std::type_info& type, ExceptionCodec codec) {
  Registry& all = registry();
  std::string name = work::type_name(type);
  const std::lock_guard guard{all.lock};
  all.codecs.insert_or_assign(std::move(name), codec);
}

namespace work {

namespace {

using wire::FailureReport;

/// "E" for "std::_Nested_exception<E>", which throw_with_nested() makes of an E, and for "weft::detail::Remote<E>".
std::string unwrapped(std::string name) {
  for (const std::string_view wrapper : {"std::_Nested_exception<", "weft::detail::Remote<"}) {
    if (!name.starts_with(wrapper) || !name.ends_with('>')) continue;
    name = name.substr(wrapper.size(), name.size() - wrapper.size() - 1);
    while (name.ends_with(' ')) name.pop_back();
    return unwrapped(std::move(name));
  }
  return name;
}

/// The name of the type of what a handler is handling.
std::string current_type() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  return type == nullptr ? "an exception of another language" : unwrapped(type_name(*type));
}

void note_code(FailureReport& report, const std::error_code& code) {
  report.code = code.value();
  report.category = code.category().name();
}

/// What standard exceptions hold beside their text.
void note_details(FailureReport& report, const std::exception& exception) {
  if (const auto* const failed = dynamic_cast<const std::system_error*>(&exception))
    note_code(report, failed->code());
  if (const auto* const failed = dynamic_cast<const std::filesystem::filesystem_error*>(&exception)) {
    report.paths = {failed->path1().native(), failed->path2().native()};
  }
  if (const auto* const failed = dynamic_cast<const std::future_error*>(&exception))
    note_code(report, failed->code());
  if (const auto* const failed = dynamic_cast<const std::regex_error*>(&exception))
    report.code = failed->code();
  if (const auto* const failed = dynamic_cast<const TimedOut*>(&exception))
    report.code = static_cast<std::int32_t>(failed->limit());
}

/// The limit that an exception may be owed to, and how to raise it: its own text says nothing of that.
std::string limit_behind(const std::exception& exception) {
  if (typeid(exception) == typeid(std::bad_alloc)) {
    const std::string limit = process::memory_limit();
    return limit.empty() ? limit : "; " + limit + ": raise WorkerLimits::memory_bytes or `ulimit -d`";
  }
  const auto* const failed = dynamic_cast<const std::system_error*>(&exception);
  if (failed == nullptr || failed->code() != std::errc::too_many_files_open) return {};
  return "; " + process::open_files_limit() + ": raise WorkerLimits::open_files or `ulimit -n`";
}

/// In a handler: appends what is handled to the chain, and gives what is nested in it.
std::exception_ptr append_current(FailureReport& report) {
  const bool outermost = report.chain.empty();
  const auto append = [&](std::string message) {
    report.chain.push_back({current_type(), std::move(message)});
  };
  try {
    throw;
  } catch (const TaskException& exception) {
    // Out of a worker that the task has itself: as it was there.
    report.chain.insert(report.chain.end(), exception.chain().begin(), exception.chain().end());
    if (outermost) {
      report.trace = exception.trace();
      if (const auto* const standard = dynamic_cast<const std::exception*>(&exception))
        note_details(report, *standard);
    }
    const auto* const nested = dynamic_cast<const std::nested_exception*>(&exception);
    return nested == nullptr ? nullptr : nested->nested_ptr();
  } catch (const std::exception& exception) {
    append(exception.what() + limit_behind(exception));
    if (outermost) note_details(report, exception);
    const auto* const nested = dynamic_cast<const std::nested_exception*>(&exception);
    return nested == nullptr ? nullptr : nested->nested_ptr();
  } catch (const std::nested_exception& exception) {
    append("an object that is no std::exception");
    return exception.nested_ptr();
  } catch (const std::string& text) {
    append(text);
  } catch (const char* text) {
    append(text == nullptr ? "a null pointer" : text);
  } catch (int number) {
    append(std::to_string(number));
  } catch (...) {
    append("a value that is no std::exception");
  }
  return nullptr;
}

/// What the exception's own codec makes of it, if its type is registered with one.
void note_value(FailureReport& report, const std::exception_ptr& exception) {
  const std::optional<detail::ExceptionCodec> codec = find_codec(report.chain.front().type);
  if (!codec || codec->write == nullptr) return;
  const detail::EncoderLease encoder;
  try {
    codec->write(exception, *encoder);
    const std::span<const std::byte> bytes = encoder->finish();
    report.value.assign(bytes.begin(), bytes.end());
  } catch (const std::exception&) {
    // Its codec failed: the type and the text go alone, as if it had none.
    report.value.clear();
  }
}

void raise_if_registered(const FailureReport& report, const TaskException::Facts& facts) {
  const std::optional<detail::ExceptionCodec> codec = find_codec(report.chain.front().type);
  if (!codec) return;
  if (codec->write != nullptr && report.value.empty()) return;
  try {
    codec->raise({facts, report.value});
  } catch (const TaskException&) {
    throw;
  } catch (const EncodingError&) {
    // The value was not one of this type's: what is known without it is thrown instead.
  }
}

/// What the worker said in words (of an exception out of its own worker), and then where it was thrown there.
struct ThrownTrace final : detail::Trace {
  explicit ThrownTrace(const FailureReport& report)
      : words{report.trace}, program_counters{report.program_counters} {}
  std::string make() override { return words + format_throw(program_counters); }
  std::string words;
  std::vector<std::uint64_t> program_counters;
};

[[noreturn]] void rethrow_exception_of(const FailureReport& report, std::string output) {
  TaskException::Facts facts{report.chain, nullptr, std::move(output)};
  if (!report.trace.empty() || !report.program_counters.empty())
    facts.trace = std::make_shared<ThrownTrace>(report);
  if (report.chain.empty()) {
    facts.chain.push_back({"an unknown exception", report.message});
  } else {
    raise_if_registered(report, facts);
    raise_if_standard(report, facts);
  }
  throw TaskFailed{TaskException{std::move(facts)}};
}

}  // namespace

FailureReport describe(const std::exception_ptr& exception) {
  FailureReport report;
  report.kind = FailureReport::Kind::exception;
  report.had_begun = true;
  std::exception_ptr next = exception;
  while (next && report.chain.size() < wire::kFailureChainMax) {
    try {
      std::rethrow_exception(next);
    } catch (...) {
      next = append_current(report);
    }
  }
  if (report.chain.empty()) {
    report.chain.push_back({"no exception", "nothing is known of it"});
  } else {
    note_value(report, exception);
  }
  return report;
}

void rethrow(const FailureReport& report, std::string output) {
  const Verdict verdict{
      .may_have_run = report.had_begun, .retry_is_safe = !report.had_begun, .worker_survived = true};
  switch (report.kind) {
    case FailureReport::Kind::exception:
      rethrow_exception_of(report, std::move(output));
    case FailureReport::Kind::unknown_task:
      throw UnknownTask{report.message};
    case FailureReport::Kind::encoding:
      throw EncodingError{report.message, verdict};
    case FailureReport::Kind::cancelled:
      throw Cancelled{report.message, report.had_begun};
    case FailureReport::Kind::timed_out:
      throw TimedOut{report.message, verdict};
    case FailureReport::Kind::exhausted:
      throw Exhausted{report.message, verdict};
    case FailureReport::Kind::closed:
      throw Closed{report.message};
  }
  throw TaskFailed{TaskException{{{{"an unknown failure", report.message}}, nullptr, std::move(output)}}};
}

}  // namespace work
}  // namespace weft
