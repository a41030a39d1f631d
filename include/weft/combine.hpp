#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#include <weft/deadline.hpp>
#include <weft/detail/gathering.hpp>
#include <weft/error.hpp>
#include <weft/execution.hpp>

// Waiting for several executions, of one pool or of several. All of these suspend the fiber and nothing else, work on
// any thread, and neither cancel nor lose what they do not wait for: each execution still has its value or failure.
// They take executions in a row (a vector, an array, a span), which must stay where they are meanwhile, or one by one.
// `_for` and `_until` give nullopt at the end of the time (where there are no values: false), and may be asked again.
//
// All throw ArgumentError for an execution of no task, and Error in a callback of an execution, where nothing may wait.

namespace weft {

/// What became of one execution: its value or its failure. The value of Execution<void> is a std::monostate.
template <class R>
class [[nodiscard]] Outcome {
 public:
  using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

  /// Of `execution`, which it waits for.
  explicit Outcome(Execution<R>& execution);

  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
  /// Throws the failure, if it is one.
  [[nodiscard]] const Value& value() const& {
    if (error_ != nullptr) std::rethrow_exception(error_);
    return *value_;
  }
  [[nodiscard]] Value value() && {
    if (error_ != nullptr) std::rethrow_exception(error_);
    return *std::move(value_);
  }
  /// The failure; null if there is none.
  [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }

 private:
  std::optional<Value> value_;
  std::exception_ptr error_;
};

namespace detail {

template <class T>
inline constexpr bool kIsExecution = false;
template <class R>
inline constexpr bool kIsExecution<Execution<R>> = true;

/// Executions in a row in memory.
template <class Row>
concept ExecutionRow = requires(Row& row) {
  requires kIsExecution<std::remove_reference_t<decltype(*std::data(row))>>;
  std::size(row);
};
template <class T>
concept OneExecution = kIsExecution<std::remove_reference_t<T>>;

template <ExecutionRow Row>
auto as_span(Row& row) {
  return std::span{std::data(row), std::size(row)};
}

/// The same interface as a span has, over executions that lie anywhere.
template <class R, std::size_t N>
struct Scattered {
  std::array<Execution<R>*, N> executions;
  [[nodiscard]] std::size_t size() const noexcept { return N; }
  Execution<R>& operator[](std::size_t index) const noexcept { return *executions[index]; }
};
template <class R, class... Rest>
Scattered<R, 1 + sizeof...(Rest)> scattered(Execution<R>& first, Rest&... rest) {
  static_assert((std::is_same_v<Execution<R>, Rest> && ...),
                "weft: any() and first() give one value, so all executions must be of one type");
  return {{&first, &rest...}};
}

template <class Members>
using ResultOf = typename std::remove_reference_t<decltype(std::declval<Members&>()[0])>::Result;

template <class R>
typename Outcome<R>::Value value_of(Execution<R>& execution) {
  if constexpr (std::is_void_v<R>) {
    execution.get();
    return {};
  } else {
    return execution.get();
  }
}

template <class Members>
Gathering gather(const Members& members) {
  Gathering gathering{members.size()};
  for (std::size_t i = 0; i < members.size(); ++i) gathering.add(HandleOf::get(members[i]));
  return gathering;
}

inline void require_at_least(std::size_t wanted, std::size_t count) {
  if (count < wanted) {
    throw ArgumentError{std::to_string(wanted) + " of " + std::to_string(count) +
                        " executions cannot give a value"};
  }
}

// The results of what follows hold a value for void too, so that one function serves both.

template <class Execution_>
using ValueOf = typename Outcome<typename std::remove_reference_t<Execution_>::Result>::Value;
template <class R>
using Values = std::vector<typename Outcome<R>::Value>;

template <class Members, class R = ResultOf<Members>>
std::optional<Values<R>> all(const Members& members, std::uint64_t deadline_ns) {
  Gathering gathering = gather(members);
  if (!gathering.wait(members.size(), true, deadline_ns)) return std::nullopt;
  if (const auto failed = gathering.first_failure()) value_of(members[*failed]);  // throws
  Values<R> values;
  values.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) values.push_back(value_of(members[i]));
  return values;
}

template <class Members, class R = ResultOf<Members>>
std::optional<std::vector<Outcome<R>>> all_settled(const Members& members, std::uint64_t deadline_ns) {
  if (!gather(members).wait(members.size(), false, deadline_ns)) return std::nullopt;
  std::vector<Outcome<R>> outcomes;
  outcomes.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) outcomes.emplace_back(members[i]);
  return outcomes;
}

template <class Members, class R = ResultOf<Members>>
std::optional<Values<R>> any_n(const Members& members, std::size_t wanted, std::uint64_t deadline_ns) {
  require_at_least(wanted, members.size());
  Gathering gathering = gather(members);
  Values<R> values;
  values.reserve(wanted);
  std::vector<std::exception_ptr> errors(members.size());
  for (std::size_t settled = 0; values.size() < wanted; ++settled) {
    if (settled == members.size()) throw AggregateError{wanted, std::move(errors)};
    if (!gathering.wait(settled + 1, false, deadline_ns)) return std::nullopt;
    const std::size_t index = gathering.settled_after(settled);
    try {
      values.push_back(value_of(members[index]));
    } catch (...) {
      errors[index] = std::current_exception();
    }
  }
  return values;
}

template <class Members, class R = ResultOf<Members>>
std::optional<typename Outcome<R>::Value> any(const Members& members, std::uint64_t deadline_ns) {
  auto values = any_n(members, 1, deadline_ns);
  if (!values) return std::nullopt;
  return std::move(values->front());
}

template <class Members, class R = ResultOf<Members>>
std::optional<typename Outcome<R>::Value> first(const Members& members, std::uint64_t deadline_ns) {
  require_at_least(1, members.size());
  Gathering gathering = gather(members);
  if (!gathering.wait(1, false, deadline_ns)) return std::nullopt;
  return value_of(members[gathering.settled_after(0)]);
}

/// As the caller wants it who set no deadline: without the optional, and nothing at all for void.
template <class R, class Kept>
auto unlimited(std::optional<Kept> result) {
  if constexpr (!std::is_void_v<R>) return *std::move(result);
}
/// And the caller who did.
template <class R, class Kept>
auto limited(std::optional<Kept> result) {
  if constexpr (std::is_void_v<R>) {
    return result.has_value();
  } else {
    return result;
  }
}

template <class Row>
using RowResult = ResultOf<decltype(as_span(std::declval<Row&>()))>;

}  // namespace detail

template <class R>
Outcome<R>::Outcome(Execution<R>& execution) {
  try {
    value_.emplace(detail::value_of(execution));
  } catch (...) {
    error_ = std::current_exception();
  }
}

/// All values in the order of the executions: a vector; nothing for void. Throws the failure that comes first, as soon
/// as it comes; the other executions go on.
template <detail::ExecutionRow Row>
auto all(Row&& executions) {
  return detail::unlimited<detail::RowResult<Row>>(detail::all(detail::as_span(executions), detail::kNever));
}
template <detail::ExecutionRow Row>
auto all_until(Row&& executions, Deadline deadline) {
  return detail::limited<detail::RowResult<Row>>(
      detail::all(detail::as_span(executions), detail::deadline_at(deadline)));
}
template <detail::ExecutionRow Row>
auto all_for(Row&& executions, std::chrono::nanoseconds timeout) {
  return detail::limited<detail::RowResult<Row>>(
      detail::all(detail::as_span(executions), detail::deadline_after(timeout)));
}
/// Executions of any types: a tuple of their values, with a std::monostate for void.
template <detail::OneExecution... Executions>
requires(sizeof...(Executions) > 0) auto all(Executions&&... executions) {
  detail::Gathering gathering{sizeof...(executions)};
  (gathering.add(detail::HandleOf::get(executions)), ...);
  gathering.wait(sizeof...(executions), true, detail::kNever);
  if (const auto failed = gathering.first_failure()) {
    std::size_t index = 0;
    const auto throw_if_it = [&](auto& execution) {
      if (index++ == *failed) detail::value_of(execution);
    };
    (throw_if_it(executions), ...);
  }
  return std::tuple<detail::ValueOf<Executions>...>{detail::value_of(executions)...};
}

/// Waits for all and throws none of their failures: a vector of Outcomes in the order of the executions.
template <detail::ExecutionRow Row>
auto all_settled(Row&& executions) {
  return *detail::all_settled(detail::as_span(executions), detail::kNever);
}
template <detail::ExecutionRow Row>
auto all_settled_until(Row&& executions, Deadline deadline) {
  return detail::all_settled(detail::as_span(executions), detail::deadline_at(deadline));
}
template <detail::ExecutionRow Row>
auto all_settled_for(Row&& executions, std::chrono::nanoseconds timeout) {
  return detail::all_settled(detail::as_span(executions), detail::deadline_after(timeout));
}
/// Executions of any types: a tuple of Outcomes.
template <detail::OneExecution... Executions>
requires(sizeof...(Executions) > 0) auto all_settled(Executions&&... executions) {
  (executions.wait(), ...);
  return std::tuple<Outcome<typename std::remove_reference_t<Executions>::Result>...>{Outcome{executions}...};
}

/// The first value. Failures are passed over; where all fail, throws AggregateError, which has all of them. Throws
/// ArgumentError if there is no execution.
template <detail::ExecutionRow Row>
auto any(Row&& executions) {
  return detail::unlimited<detail::RowResult<Row>>(detail::any(detail::as_span(executions), detail::kNever));
}
template <detail::ExecutionRow Row>
auto any_until(Row&& executions, Deadline deadline) {
  return detail::limited<detail::RowResult<Row>>(
      detail::any(detail::as_span(executions), detail::deadline_at(deadline)));
}
template <detail::ExecutionRow Row>
auto any_for(Row&& executions, std::chrono::nanoseconds timeout) {
  return detail::limited<detail::RowResult<Row>>(
      detail::any(detail::as_span(executions), detail::deadline_after(timeout)));
}
template <detail::OneExecution... Executions>
requires(sizeof...(Executions) > 0) auto any(Executions&&... executions) {
  const auto members = detail::scattered(executions...);
  return detail::unlimited<detail::ResultOf<decltype(members)>>(detail::any(members, detail::kNever));
}

/// The first `wanted` values, in the order in which they come: a vector; nothing for void. Where too many fail, waits
/// for all and throws AggregateError. Throws ArgumentError if there are fewer executions than that.
template <detail::ExecutionRow Row>
auto any_n(Row&& executions, std::size_t wanted) {
  return detail::unlimited<detail::RowResult<Row>>(
      detail::any_n(detail::as_span(executions), wanted, detail::kNever));
}
template <detail::ExecutionRow Row>
auto any_n_until(Row&& executions, std::size_t wanted, Deadline deadline) {
  return detail::limited<detail::RowResult<Row>>(
      detail::any_n(detail::as_span(executions), wanted, detail::deadline_at(deadline)));
}
template <detail::ExecutionRow Row>
auto any_n_for(Row&& executions, std::size_t wanted, std::chrono::nanoseconds timeout) {
  return detail::limited<detail::RowResult<Row>>(
      detail::any_n(detail::as_span(executions), wanted, detail::deadline_after(timeout)));
}

/// What comes first, be it a value or a failure, which is thrown. Throws ArgumentError if there is no execution.
template <detail::ExecutionRow Row>
auto first(Row&& executions) {
  return detail::unlimited<detail::RowResult<Row>>(
      detail::first(detail::as_span(executions), detail::kNever));
}
template <detail::ExecutionRow Row>
auto first_until(Row&& executions, Deadline deadline) {
  return detail::limited<detail::RowResult<Row>>(
      detail::first(detail::as_span(executions), detail::deadline_at(deadline)));
}
template <detail::ExecutionRow Row>
auto first_for(Row&& executions, std::chrono::nanoseconds timeout) {
  return detail::limited<detail::RowResult<Row>>(
      detail::first(detail::as_span(executions), detail::deadline_after(timeout)));
}
template <detail::OneExecution... Executions>
requires(sizeof...(Executions) > 0) auto first(Executions&&... executions) {
  const auto members = detail::scattered(executions...);
  return detail::unlimited<detail::ResultOf<decltype(members)>>(detail::first(members, detail::kNever));
}

/// One of several executions, settled: its place among them, and itself.
template <class R>
struct Completed {
  std::size_t index;
  Execution<R>& execution;
};

/// Several executions in the order in which they settle, be it with a value or a failure; each once.
///
///   for (auto [index, execution] : weft::as_completed(executions)) use(index, execution.get());
///
/// Owner: the caller. Threads: one at a time. Suspends: next() and the iterators, until the next one has settled.
template <class R>
class [[nodiscard]] AsCompleted {
 public:
  explicit AsCompleted(std::span<Execution<R>> executions)
      : executions_{executions}, gathering_{detail::gather(executions)} {}
  /// Keeps the executions itself.
  explicit AsCompleted(std::vector<Execution<R>>&& executions)
      : owned_{std::move(executions)}, executions_{owned_}, gathering_{detail::gather(executions_)} {}

  /// The next one; nullopt after the last, and at the end of the time: remaining() tells which.
  std::optional<Completed<R>> next() { return next_at(detail::kNever); }
  std::optional<Completed<R>> next_until(Deadline deadline) { return next_at(detail::deadline_at(deadline)); }
  std::optional<Completed<R>> next_for(std::chrono::nanoseconds timeout) {
    return next_at(detail::deadline_after(timeout));
  }
  /// How many next() has not given yet.
  [[nodiscard]] std::size_t remaining() const noexcept { return executions_.size() - taken_; }

  class Iterator {
   public:
    using value_type = Completed<R>;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(AsCompleted& from) : from_{&from}, index_{next_index()} {}
    Completed<R> operator*() const { return {*index_, from_->executions_[*index_]}; }
    Iterator& operator++() {
      index_ = next_index();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !index_.has_value(); }

   private:
    std::optional<std::size_t> next_index() {
      const auto next = from_->next();
      return next ? std::optional{next->index} : std::nullopt;
    }
    AsCompleted* from_;
    std::optional<std::size_t> index_;
  };
  Iterator begin() { return Iterator{*this}; }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::optional<Completed<R>> next_at(std::uint64_t deadline_ns) {
    if (remaining() == 0 || !gathering_.wait(taken_ + 1, false, deadline_ns)) return std::nullopt;
    const std::size_t index = gathering_.settled_after(taken_++);
    return Completed<R>{index, executions_[index]};
  }

  std::vector<Execution<R>> owned_;
  std::span<Execution<R>> executions_;
  detail::Gathering gathering_;
  std::size_t taken_ = 0;
};

template <detail::ExecutionRow Row>
auto as_completed(Row&& executions) {
  static_assert(
      std::is_lvalue_reference_v<Row> || std::is_trivially_copyable_v<Row>,
      "weft: these executions would be gone before the first is waited for: pass a vector, or a name");
  return AsCompleted<detail::RowResult<Row>>{detail::as_span(executions)};
}
/// Keeps the executions itself.
template <class R>
auto as_completed(std::vector<Execution<R>>&& executions) {
  return AsCompleted<R>{std::move(executions)};
}

}  // namespace weft
