#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>
#include <weft/detail/callable.hpp>
#include <weft/detail/gathering.hpp>
#include <weft/detail/travel.hpp>
#include <weft/execution.hpp>
#include <weft/export.hpp>
#include <weft/map.hpp>
#include <weft/task_scope.hpp>

namespace weft::detail {

/// How many items the next task of a map gets. Long tasks cost little on their way, short ones spread well: so each gets
/// about half a millisecond of them, by how fast items have come back lately, and towards the end its share of what is left
/// (guided self-scheduling: Polychronopoulos and Kuck, 1987).
class WEFT_EXPORT BatchSizer {
 public:
  BatchSizer(std::size_t fixed, std::size_t most, std::size_t workers) noexcept;
  /// Tasks under way at a time: enough that no worker waits for the next.
  [[nodiscard]] std::size_t in_flight() const noexcept { return 3 * workers_; }
  /// At least 1. `left`: items that are in no task yet, if that is known.
  [[nodiscard]] std::size_t next(std::optional<std::size_t> left) const noexcept;
  /// A task of so many has come back.
  void done(std::size_t items) noexcept;

 private:
  bool fixed_;
  std::size_t most_;
  std::size_t workers_;
  std::size_t size_;
  std::size_t tasks_ = 0;  // since since_ns_
  std::size_t items_ = 0;
  std::uint64_t since_ns_ = 0;
};

/// One parameter, as it is kept; a view has nothing to look at in another process: the range's own values then.
template <class Arguments, class Value>
struct ItemOf;
template <class Parameter, class Value>
struct ItemOf<Parameters<Parameter>, Value> {
  using type = std::conditional_t<is_view<Kept<Parameter>>, Value, Kept<Parameter>>;
};

/// What becomes of the values.
enum class Mapped : bool { dropped, kept };

/// What a task of a map runs: `function` on each item.
template <Mapped Values, class Function, class Items>
auto apply_to_each(Function& function, TaskScope& scope, Items& items) {
  const auto call = [&](auto& item) -> decltype(auto) {
    if constexpr (std::is_invocable_v<Function&, TaskScope&, decltype(std::move(item))>) {
      return function(scope, std::move(item));
    } else {
      return function(std::move(item));
    }
  };
  using R = std::remove_cvref_t<decltype(call(items.front()))>;
  if constexpr (std::is_void_v<R> || Values == Mapped::dropped) {
    for (auto& item : items) static_cast<void>(call(item));
  } else {
    std::vector<R> results;
    results.reserve(items.size());
    for (auto& item : items) results.push_back(call(item));
    return results;
  }
}

template <Mapped Values, auto Function, class Item>
struct FunctionBatch {
  static auto run(TaskScope& scope, std::vector<Item> items) {
    auto function = Function;
    return apply_to_each<Values>(function, scope, items);
  }
};
template <Mapped Values, class Lambda, class Item>
struct LambdaBatch {
  Lambda lambda;
  auto operator()(TaskScope& scope, std::vector<Item> items) const {
    auto function = lambda;
    return apply_to_each<Values>(function, scope, items);
  }
};
template <class Task>
struct AggregateBatch {
  static auto run(TaskScope& scope, std::vector<Task> tasks) {
    const auto function = [&scope](Task task) {
      if constexpr (requires { task.run(scope); }) {
        return task.run(scope);
      } else {
        return task.run();
      }
    };
    return apply_to_each<Mapped::kept>(function, scope, tasks);
  }
};

template <class T>
inline constexpr std::size_t kBatchMost = Plain<T> || kShape<T> == Shape::text ? 1U << 20 : 255;

/// The tasks of a map that are under way. Those that have not begun are taken back where one has failed.
template <class Part>
class Flight {
 public:
  Flight() = default;
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  ~Flight() {
    for (auto& each : flying_) static_cast<void>(each.execution.cancel("another part of the map failed"));
  }
  [[nodiscard]] std::size_t size() const noexcept { return flying_.size(); }
  void add(std::size_t index, std::size_t items, Execution<Part> execution) {
    flying_.push_back({index, items, std::move(execution)});
  }
  struct Flying {
    std::size_t index;
    std::size_t items;
    Execution<Part> execution;
  };
  /// One that is done; waits for it.
  Flying take() {
    std::size_t done = 0;
    if (!flying_.front().execution.ready()) {
      Gathering gathering{flying_.size()};
      for (Flying& each : flying_) gathering.add(HandleOf::get(each.execution));
      gathering.wait(1, false, kNever);
      done = gathering.settled_after(0);
    }
    Flying taken = std::move(flying_[done]);
    flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(done));
    return taken;
  }

 private:
  std::vector<Flying> flying_;
};

/// `submit` makes a task of a vector of Items.
template <class Item, class Range, class Submit>
auto run_map(Range&& range, BatchSizer sizer, Submit submit) {
  using Part = typename decltype(submit(std::vector<Item>{}))::Result;
  Flight<Part> flight;
  auto next = std::ranges::begin(range);
  const auto end = std::ranges::end(range);
  std::size_t cut = 0;
  std::size_t tasks = 0;
  std::conditional_t<std::is_void_v<Part>, char, std::vector<Part>> parts{};
  for (;;) {
    while (next != end && flight.size() < sizer.in_flight()) {
      std::optional<std::size_t> left;
      if constexpr (std::ranges::sized_range<Range>) left = std::ranges::size(range) - cut;
      std::vector<Item> items;
      const std::size_t wanted = sizer.next(left);
      items.reserve(wanted);
      for (; items.size() < wanted && next != end; ++next) items.push_back(static_cast<Item>(*next));
      cut += items.size();
      const std::size_t count = items.size();
      flight.add(tasks++, count, submit(std::move(items)));
    }
    if (flight.size() == 0) break;
    auto done = flight.take();
    if constexpr (std::is_void_v<Part>) {
      done.execution.get();
    } else {
      parts.resize(tasks);
      parts[done.index] = done.execution.get();
    }
    sizer.done(done.items);
  }
  if constexpr (!std::is_void_v<Part>) {
    Part results;
    results.reserve(cut);
    for (Part& part : parts) std::ranges::move(part, std::back_inserter(results));
    return results;
  }
}

}  // namespace weft::detail
