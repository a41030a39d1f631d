#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>
#include <weft/detail/call_handle.hpp>
#include <weft/detail/callable.hpp>
#include <weft/detail/mapping.hpp>
#include <weft/execution.hpp>
#include <weft/named_task.hpp>
#include <weft/task.hpp>
#include <weft/task_options.hpp>

namespace weft::work {
class PoolCore;
struct Share;
}  // namespace weft::work

namespace weft::detail {

/// What to run, on what. Passed by reference all the way down and never copied: a copy reads two fields at once that
/// were just written one by one, and such a load waits until every store before it, the last frame's too, has reached
/// the cache (a store-forwarding stall: 50 of 110 ns a task when this was a copy).
struct Request {
  std::uint64_t function = 0;  ///< where its entry lies in the binary, or the id of its name
  bool is_named = false;
  Payload payload;
  const TaskOptions* options = nullptr;
};

/// Which task, without its arguments.
struct TaskId {
  std::uint64_t function;
  bool is_named;
};

/// A way into a pool beside the common one.
struct Route {
  work::Share* share = nullptr;  ///< of a view
  std::uint64_t worker = 0;      ///< the only one that may run it
};

/// Throws Closed, Exhausted.
WEFT_EXPORT work::Call& submit_to(work::PoolCore& core, const Request& request);
WEFT_EXPORT work::Call& submit_to(work::PoolCore& core, const Request& request, const Route& route);

/// So many workers may there be.
WEFT_EXPORT std::size_t workers_of(const work::PoolCore& core);

/// The id by which workers of the same binary find an entry. Throws Error if the module has no build id.
WEFT_EXPORT std::uint64_t id_of(const TaskEntry& entry);

/// The same, found once for each task.
template <class Task>
std::uint64_t task_id() {
  static const std::uint64_t id = id_of(Task::entry);
  return id;
}

template <class Task>
concept RunsScoped = requires(Task& task, TaskScope& scope) {
  task.run(scope);
};
template <class Task>
concept RunsAlone = requires(Task& task) {
  task.run();
};
template <class Task>
concept TaskAggregate = std::is_class_v<Task> &&(RunsScoped<Task> || RunsAlone<Task>);

template <class Task>
struct RunResult {
  using type = std::remove_cvref_t<decltype(std::declval<Task&>().run())>;
};
template <RunsScoped Task>
struct RunResult<Task> {
  using type = std::remove_cvref_t<decltype(std::declval<Task&>().run(std::declval<TaskScope&>()))>;
};

template <class Lambda>
concept HasOneCallOperator = requires {
  &Lambda::operator();
};

/// What a lambda's arguments are sent as: its own parameters where they are known, else what was passed.
template <class Lambda, class... Passed>
struct LambdaArguments {
  using type = Parameters<std::decay_t<Passed>...>;
};
template <HasOneCallOperator Lambda, class... Passed>
struct LambdaArguments<Lambda, Passed...> {
  using type = typename CallableTraits<decltype(&Lambda::operator())>::Arguments;
};

template <class Lambda, class... Args>
struct LambdaResult {
  using type = std::remove_cvref_t<std::invoke_result_t<Lambda&, Args...>>;
};
template <class Lambda, class... Args>
requires std::is_invocable_v<Lambda&, TaskScope&, Args...>
struct LambdaResult<Lambda, Args...> {
  using type = std::remove_cvref_t<std::invoke_result_t<Lambda&, TaskScope&, Args...>>;
};

class Submission;

enum class Routed : bool { no, yes };

/// The submit() that pools and workers have in common; `Self::core()` says where to, `Self::task_options()` on what terms
/// (nullptr: none), and `Self::route()`, if it is routed, which way.
template <class Self, Routed IsRouted = Routed::no>
class Submitter {
 public:
  /// Runs the function `Function(args...)` in a worker. Its parameters are taken by value or const reference; a first
  /// parameter TaskScope& is the worker's own. Returns at once, however long the queue is; only where PoolOptions::queue_limit
  /// tasks wait does it suspend until there is room, or throw QueueFull (OnFull). Throws EncodingError (nothing was sent),
  /// Exhausted, Closed.
  template <auto Function, class... Args>
  auto submit(Args&&... args) {
    using Traits = CallableTraits<decltype(Function)>;
    return submit_function<Function, std::remove_cvref_t<typename Traits::Result>>(
        typename Traits::Arguments{}, std::forward<Args>(args)...);
  }

  /// Runs `task.run()` or `task.run(scope)` in a worker: an aggregate whose fields are the parameters.
  template <TaskAggregate Task>
  auto submit(const Task& task) {
    const Packed<Task> packed{task};
    using R = typename RunResult<Task>::type;
    return enqueue<R>({task_id<AggregateTask<Task>>(), false}, packed);
  }

  /// Runs `lambda(args...)` in a worker. Captures are sent as bytes: trivially copyable, no pointers or references.
  template <class Lambda, class... Args>
  requires(!TaskAggregate<Lambda> && std::is_class_v<Lambda>) auto submit(const Lambda& lambda,
                                                                          Args&&... args) {
    static_assert(
        std::is_trivially_copyable_v<Lambda>,
        "weft: a lambda's captures must be trivially copyable, since it is sent as bytes: pass strings, "
        "containers and the like as arguments, submit(lambda, args...), or use an aggregate with run()");
    static_assert(
        std::is_empty_v<Lambda> || !std::is_trivially_copyable_v<Lambda> || FreeOfPointers<Lambda>,
        "weft: a lambda captures a pointer or a reference (by [&], [=] of a pointer, or this), which means "
        "nothing in another process: capture values, or pass them as arguments, submit(lambda, args...)");
    return submit_lambda(lambda, typename LambdaArguments<Lambda, Args...>::type{},
                         std::forward<Args>(args)...);
  }

  /// Runs a task that the workers' binary knows by name.
  template <class R, class... Parameters_, class... Args>
  auto submit(const NamedTask<R(Parameters_...)>& task, Args&&... args) {
    return send<R, std::remove_cvref_t<Parameters_>...>({task.id(), true}, std::forward<Args>(args)...);
  }

  /// Runs `Function(item)` for each item of a range, many in one task (MapOptions). Gives a std::vector of the values in the
  /// order of the range, or nothing for void. Suspends until all are done. Throws the first failure that is seen, and
  /// takes back what has not begun then; throws what submit() throws.
  ///
  ///   std::vector<double> roots = pool.map<root>(numbers);
  template <auto Function, std::ranges::input_range Range>
  auto map(Range&& range, const MapOptions& options = {}) {
    return map_function<Mapped::kept, Function>(range, options);
  }
  /// The same with a lambda, whose captures are sent as submit() sends them.
  template <class Lambda, std::ranges::input_range Range>
  requires std::is_class_v<Lambda>
  auto map(const Lambda& lambda, Range&& range, const MapOptions& options = {}) {
    return map_lambda<Mapped::kept>(lambda, range, options);
  }
  /// The same with a range of aggregates that have run().
  template <std::ranges::input_range Range>
  requires TaskAggregate<std::ranges::range_value_t<Range>>
  auto map(Range&& range, const MapOptions& options = {}) {
    using Task = std::ranges::range_value_t<Range>;
    return run_map<Task>(range, sizer_of<Task>(options), [this](std::vector<Task> tasks) {
      return submit<&AggregateBatch<Task>::run>(std::move(tasks));
    });
  }

  /// map() for what is done rather than what it gives: values stay where they are.
  template <auto Function, std::ranges::input_range Range>
  void for_each(Range&& range, const MapOptions& options = {}) {
    map_function<Mapped::dropped, Function>(range, options);
  }
  template <class Lambda, std::ranges::input_range Range>
  requires std::is_class_v<Lambda>
  void for_each(const Lambda& lambda, Range&& range, const MapOptions& options = {}) {
    map_lambda<Mapped::dropped>(lambda, range, options);
  }

  /// The same submit() for tasks with a priority, time limits or retries:
  ///
  ///   pool.with({.priority = weft::Priority::high, .run_limit = 5s}).submit<render>(page);
  ///
  /// Throws Closed. To be used at once; submit() then throws ArgumentError too (a negative time).
  [[nodiscard]] Submission with(const TaskOptions& options);

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }

  template <Mapped Values, auto Function, class Range>
  auto map_function(Range& range, const MapOptions& options) {
    using Item = typename ItemOf<typename CallableTraits<decltype(Function)>::Arguments,
                                 std::ranges::range_value_t<Range>>::type;
    return run_map<Item>(range, sizer_of<Item>(options), [this](std::vector<Item> items) {
      return submit<&FunctionBatch<Values, Function, Item>::run>(std::move(items));
    });
  }
  template <Mapped Values, class Lambda, class Range>
  auto map_lambda(const Lambda& lambda, Range& range, const MapOptions& options) {
    using Item = typename ItemOf<typename LambdaArguments<Lambda, std::ranges::range_value_t<Range>>::type,
                                 std::ranges::range_value_t<Range>>::type;
    return run_map<Item>(range, sizer_of<Item>(options), [&](std::vector<Item> items) {
      return submit(LambdaBatch<Values, Lambda, Item>{lambda}, std::move(items));
    });
  }
  template <class Item>
  BatchSizer sizer_of(const MapOptions& options) {
    return {options.batch, kBatchMost<Item>, workers_of(self().core())};
  }

  /// Converts to the parameters' types, without a copy where they are those already.
  template <class R, class... Kept_, class... Args>
  Execution<R> send(TaskId id, Args&&... args) {
    static_assert(sizeof...(Kept_) == sizeof...(Args),
                  "weft: submit() got another number of arguments than the task takes");
    return send_converted<R, Kept_...>(id, static_cast<const Kept_&>(args)...);
  }
  template <class R, class... Kept_>
  Execution<R> send_converted(TaskId id, const Kept_&... args) {
    const Packed<Kept_...> packed{args...};
    return enqueue<R>(id, packed);
  }
  template <class R, class Packed_>
  Execution<R> enqueue(TaskId id, const Packed_& packed) {
    const Request request{id.function, id.is_named, packed.payload(), self().task_options()};
    work::PoolCore& core = self().core();
    if constexpr (IsRouted == Routed::yes) {
      return Execution<R>{CallHandle{core, submit_to(core, request, self().route())}};
    } else {
      return Execution<R>{CallHandle{core, submit_to(core, request)}};
    }
  }

  template <auto Function, class R, class... Parameters_, class... Args>
  Execution<R> submit_function(Parameters<Parameters_...>, Args&&... args) {
    return send<R, Kept<Parameters_>...>({task_id<FunctionTask<Function, Kept<Parameters_>...>>(), false},
                                         std::forward<Args>(args)...);
  }

  template <class Lambda, class... Parameters_, class... Args>
  auto submit_lambda(const Lambda& lambda, Parameters<Parameters_...>, Args&&... args) {
    using R = typename LambdaResult<Lambda, Kept<Parameters_>...>::type;
    const TaskId id{task_id<LambdaTask<Lambda, Kept<Parameters_>...>>(), false};
    if constexpr (std::is_empty_v<Lambda>) {
      return send<R, Kept<Parameters_>...>(id, std::forward<Args>(args)...);
    } else {
      LambdaBytes<Lambda> bytes;
      std::memcpy(bytes.data(), static_cast<const void*>(&lambda), sizeof lambda);
      return send<R, LambdaBytes<Lambda>, Kept<Parameters_>...>(id, bytes, std::forward<Args>(args)...);
    }
  }
};

/// A pool or worker, and the terms on which it gets tasks. Valid as long as the former.
class Submission : public Submitter<Submission, Routed::yes> {
 public:
  Submission(work::PoolCore& core, const TaskOptions& options, const Route& route)
      : core_{&core}, options_{options}, route_{route} {}

 private:
  friend class Submitter<Submission, Routed::yes>;
  [[nodiscard]] const Route& route() const noexcept { return route_; }
  [[nodiscard]] work::PoolCore& core() const noexcept { return *core_; }
  [[nodiscard]] const TaskOptions* task_options() const noexcept { return &options_; }
  work::PoolCore* core_;
  TaskOptions options_;
  Route route_;
};

template <class Self, Routed IsRouted>
Submission Submitter<Self, IsRouted>::with(const TaskOptions& options) {
  if constexpr (IsRouted == Routed::yes) {
    return Submission{self().core(), options, self().route()};
  } else {
    return Submission{self().core(), options, {}};
  }
}

/// One worker of a pool, for broadcast(). Valid as long as the pool.
class Pinned : public Submitter<Pinned, Routed::yes> {
 public:
  Pinned(work::PoolCore& core, const TaskOptions* options, std::uint64_t worker)
      : core_{&core}, options_{options}, route_{.worker = worker} {}

 private:
  friend class Submitter<Pinned, Routed::yes>;
  [[nodiscard]] work::PoolCore& core() const noexcept { return *core_; }
  [[nodiscard]] const TaskOptions* task_options() const noexcept { return options_; }
  [[nodiscard]] const Route& route() const noexcept { return route_; }
  work::PoolCore* core_;
  const TaskOptions* options_;
  Route route_;
};
/// The workers of a pool that take tasks, by their ids.
WEFT_EXPORT std::vector<std::uint64_t> worker_ids(work::PoolCore& core);

}  // namespace weft::detail
