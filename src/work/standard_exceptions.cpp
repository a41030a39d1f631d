#include "work/standard_exceptions.hpp"

#include <cxxabi.h>

#include <any>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <system_error>
#include <unordered_map>
#include <variant>
#include <weft/error.hpp>
#include <weft/exception.hpp>

namespace weft::work {

namespace {

void remove_all(std::string& from, std::string_view what) {
  for (std::size_t at = from.find(what); at != std::string::npos; at = from.find(what, at))
    from.erase(at, what.size());
}

/// Stands for a category that the worker had and this process does not know: its name, and the number. Error codes of
/// it equal no others.
class ForeignCategory : public std::error_category {
 public:
  explicit ForeignCategory(std::string name) : name_{std::move(name)} {}
  [[nodiscard]] const char* name() const noexcept override { return name_.c_str(); }
  [[nodiscard]] std::string message(int value) const override {
    return name_ + " error " + std::to_string(value);
  }

 private:
  std::string name_;
};

/// Categories are compared by address and live for ever, so there is one a name; and no more than a worker's word may
/// cost memory.
const std::error_category& foreign_category(const std::string& name) {
  constexpr std::size_t kCategoriesMax = 64;
  static std::mutex lock;
  static auto& categories = *new std::map<std::string, std::unique_ptr<ForeignCategory>>;
  const std::lock_guard guard{lock};
  const bool room = categories.size() < kCategoriesMax || categories.contains(name);
  std::unique_ptr<ForeignCategory>& category = categories[room ? name : "other"];
  if (!category) category = std::make_unique<ForeignCategory>(room ? name : "other");
  return *category;
}

std::error_code code_of(const wire::FailureReport& report) {
  for (const std::error_category* const known : {&std::generic_category(), &std::system_category(),
                                                 &std::iostream_category(), &std::future_category()}) {
    if (report.category == known->name()) return {report.code, *known};
  }
  return {report.code, foreign_category(report.category)};
}

/// As note_details() has written it; another process may have written anything.
TimeLimit time_limit_of(const wire::FailureReport& report) noexcept {
  const bool is_one = report.code >= 0 && report.code <= static_cast<std::int32_t>(TimeLimit::deadline);
  return is_one ? static_cast<TimeLimit>(report.code) : TimeLimit::wait;
}

/// The task has run, and its worker goes on.
constexpr Verdict kTaskThrew{.may_have_run = true, .retry_is_safe = false, .worker_survived = true};

/// An E with what the report knows of it. Its text does not matter: Remote<E> has the original's.
template <class E>
E make(const wire::FailureReport& report) {
  const std::string& text = report.chain.front().message;
  if constexpr (std::same_as<E, std::filesystem::filesystem_error>) {
    std::filesystem::path paths[2];
    for (std::size_t i = 0; i < report.paths.size() && i < 2; ++i) paths[i] = report.paths[i];
    return E{text, paths[0], paths[1], code_of(report)};
  } else if constexpr (std::derived_from<E, std::ios_base::failure>) {
    return E{text, code_of(report)};
  } else if constexpr (std::derived_from<E, std::system_error>) {
    return E{code_of(report), text};
  } else if constexpr (std::same_as<E, std::future_error>) {
    return E{static_cast<std::future_errc>(report.code)};
  } else if constexpr (std::same_as<E, std::regex_error>) {
    return E{static_cast<std::regex_constants::error_type>(report.code)};
  } else if constexpr (std::same_as<E, Cancelled>) {
    // Its constructor says this much itself.
    constexpr std::string_view kSaid = "the task was cancelled: ";
    return E{text.starts_with(kSaid) ? text.substr(kSaid.size()) : text, true};
  } else if constexpr (std::same_as<E, TimedOut>) {
    return E{text, kTaskThrew, time_limit_of(report)};
  } else if constexpr (std::derived_from<E, Error>) {
    return E{text, kTaskThrew};
  } else if constexpr (std::constructible_from<E, const std::string&>) {
    return E{text};
  } else {
    return E{};
  }
}

using Raise = void (*)(const wire::FailureReport&, const TaskException::Facts& facts);

template <class E>
void raise(const wire::FailureReport& report, const TaskException::Facts& facts) {
  throw detail::Remote<E>{make<E>(report), facts};
}

template <class... Exceptions>
std::unordered_map<std::string, Raise> table() {
  return {{type_name(typeid(Exceptions)), &raise<Exceptions>}...};
}

/// weft's own that say nothing about this process's workers. A WorkerCrashed, say, was thrown by a task that has
/// workers itself; it comes as a TaskFailed, so that nobody here takes it for the end of the task's own worker.
const std::unordered_map<std::string, Raise>& known_exceptions() {
  static const auto& known = *new std::unordered_map<std::string, Raise>{
      table<std::exception, std::bad_exception, std::bad_alloc, std::bad_array_new_length, std::bad_cast,
            std::bad_typeid, std::bad_any_cast, std::bad_function_call, std::bad_optional_access,
            std::bad_variant_access, std::bad_weak_ptr, std::logic_error, std::invalid_argument,
            std::domain_error, std::length_error, std::out_of_range, std::future_error, std::runtime_error,
            std::range_error, std::overflow_error, std::underflow_error, std::regex_error, std::system_error,
            std::ios_base::failure, std::filesystem::filesystem_error, EncodingError, Cancelled, TimedOut,
            Exhausted>()};
  return known;
}

}  // namespace

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled{
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free};
  std::string name = status == 0 && demangled ? demangled.get() : type.name();
  remove_all(name, "__cxx11::");
  remove_all(name, "[abi:cxx11]");
  return name;
}

void raise_if_standard(const wire::FailureReport& report, const TaskException::Facts& facts) {
  const auto& known = known_exceptions();
  const auto found = known.find(report.chain.front().type);
  if (found != known.end()) found->second(report, facts);
}

}  // namespace weft::work
