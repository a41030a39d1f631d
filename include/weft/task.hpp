#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <weft/codec.hpp>
#include <weft/detail/callable.hpp>
#include <weft/detail/typename.hpp>
#include <weft/export.hpp>
#include <weft/task_scope.hpp>

namespace weft::detail {

/// The worker's side of one task, as its thunk sees it: payload in, value out. Lives on the stack of the fiber that
/// runs the task.
class TaskCall {
 public:
  /// The arguments, in place; they may lie in the ring, so they hold until decoded() alone.
  [[nodiscard]] const Payload& payload() const noexcept { return payload_; }
  /// To be called once the arguments are decoded and no view of them is left: lets the ring go on.
  virtual void decoded() = 0;
  /// Instead of decoded(), where arguments are views: moves the payload to memory that lives as long as the task.
  virtual void keep_payload() = 0;
  /// Sends the task's value. Throws EncodingError or Exhausted where it cannot be sent.
  virtual void value(const Payload& payload) = 0;
  [[nodiscard]] TaskScope& scope() noexcept { return scope_; }

 protected:
  TaskCall(Encoding encoding, std::span<const std::byte> bytes, std::span<const Buffer> attachments,
           TaskScope& scope) noexcept
      : payload_{encoding, bytes, attachments}, scope_{scope} {}
  ~TaskCall() = default;
  Payload payload_;
  TaskScope& scope_;
};

/// A task that both sides know by where its entry lies in their common binary. Constant-initialised, so that it is
/// there before main; `self` and `magic` tell it from any other place that an id may name.
struct TaskEntry {
  const TaskEntry* self;
  std::uint64_t magic;
  void (*invoke)(TaskCall&);
  const char* (*name)();
};
inline constexpr std::uint64_t kTaskMagic = 0x7466'6577'6b73'6174;

template <class... Args, class Function>
void invoke_with(TaskCall& call, Function&& function) {
  using Function_ = std::remove_reference_t<Function>;
  constexpr bool kScoped = std::is_invocable_v<Function_&, TaskScope&, Args...>;
  constexpr bool kViews = (is_view<Args> || ...);
  if constexpr (kViews) call.keep_payload();
  std::tuple<Args...> args = unpack<Args...>(call.payload());
  if constexpr (!kViews) call.decoded();
  const auto run = [&]() -> decltype(auto) {
    return std::apply(
        [&](Args&... each) -> decltype(auto) {
          if constexpr (kScoped) {
            return std::invoke(function, call.scope(), std::move(each)...);
          } else {
            return std::invoke(function, std::move(each)...);
          }
        },
        args);
  };
  using R = std::remove_cvref_t<decltype(run())>;
  static_assert(require_result<R>());
  if constexpr (std::is_void_v<R>) {
    run();
    call.value({});
  } else {
    const R result = run();
    const Packed<R> packed{result};
    call.value(packed.payload());
  }
}

/// A free function, by its address at compile time.
template <auto Function, class... Args>
struct FunctionTask {
  static void invoke(TaskCall& call) { invoke_with<Args...>(call, Function); }
  static const char* name() { return value_name<Function>(); }
  static constinit const TaskEntry entry;
};
template <auto Function, class... Args>
constinit const TaskEntry FunctionTask<Function, Args...>::entry{&entry, kTaskMagic, &invoke, &name};

/// A lambda or other function object, sent by its bytes with the arguments.
template <class Lambda, class... Args>
struct LambdaTask {
  static void invoke(TaskCall& call) {
    if constexpr (std::is_empty_v<Lambda>) {
      // Nothing captured, nothing sent: any object of the type is as good as the sender's.
      invoke_with<Args...>(call, as_object<Lambda>(Nothing{}));
    } else {
      invoke_with<LambdaBytes<Lambda>, Args...>(call, Spread{});
    }
  }
  static const char* name() { return type_name<Lambda>(); }
  static constinit const TaskEntry entry;

 private:
  struct Spread {
    template <class... Rest>
    requires std::is_invocable_v<Lambda&, Rest...>
    decltype(auto) operator()(const LambdaBytes<Lambda>& bytes, Rest&&... rest) const {
      return as_object<Lambda>(bytes)(std::forward<Rest>(rest)...);
    }
    template <class... Rest>
    requires std::is_invocable_v<Lambda&, TaskScope&, Rest...>
    decltype(auto) operator()(TaskScope& scope, const LambdaBytes<Lambda>& bytes, Rest&&... rest) const {
      return as_object<Lambda>(bytes)(scope, std::forward<Rest>(rest)...);
    }
  };
};
template <class Lambda, class... Args>
constinit const TaskEntry LambdaTask<Lambda, Args...>::entry{&entry, kTaskMagic, &invoke, &name};

/// An aggregate whose member run() is the task.
template <class Task>
struct AggregateTask {
  static void invoke(TaskCall& call) {
    if constexpr (requires(Task & task, TaskScope & scope) { task.run(scope); }) {
      invoke_with<Task>(call, [&](Task&& task) -> decltype(auto) { return task.run(call.scope()); });
    } else {
      invoke_with<Task>(call, [](Task&& task) -> decltype(auto) { return task.run(); });
    }
  }
  static const char* name() { return type_name<Task>(); }
  static constinit const TaskEntry entry;
};
template <class Task>
constinit const TaskEntry AggregateTask<Task>::entry{&entry, kTaskMagic, &invoke, &name};

}  // namespace weft::detail
