#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <weft/channel.hpp>
#include <weft/deadline.hpp>
#include <weft/detail/call_handle.hpp>
#include <weft/detail/call_watch.hpp>
#include <weft/detail/channel_port.hpp>
#include <weft/error.hpp>
#include <weft/progress.hpp>
#include <weft/task_times.hpp>

namespace weft {

/// One submitted task and, in time, its result. Letting go of it does not stop the task: its value is dropped.
///
/// Owner: the caller; moves. Threads: one at a time, any. Waiting suspends the fiber: the thread's other fibers run
/// on; a thread without fibers spins for some microseconds and then sleeps.
template <class R>
class [[nodiscard]] Execution {
 public:
  using Result = R;

  /// Of no task: valid() is false, and nothing else may be called.
  Execution() noexcept = default;
  explicit Execution(detail::CallHandle handle) noexcept : handle_{std::move(handle)} {}

  [[nodiscard]] bool valid() const noexcept { return handle_.valid(); }

  /// Waits for the value. A second call gives the same value again. Throws the task's own exception where its type is
  /// known here (it is a TaskException too), else TaskFailed; WorkerCrashed, WorkerExited, WorkerKilled, TimedOut, Cancelled,
  /// QueueFull (OnFull::drop_oldest), EncodingError, UnknownTask, Incompatible, StartFailed, Exhausted, ProtocolViolation,
  /// Closed.
  R get() & {
    handle_.wait(detail::CallHandle::kNever);
    return value();
  }
  /// The same for an Execution that nobody looks at any more, as in `pool.submit<f>().get()`: sooner, and it is of no task
  /// thereafter.
  R get() && {
    detail::ShortValue result;
    if (handle_.take(result)) return value_of(result.payload());
    return Execution{std::move(handle_)}.value();
  }
  /// The same for at most `timeout`; nullopt then (for void: false), and the task goes on: get() still gives its value.
  [[nodiscard]] auto get_for(std::chrono::nanoseconds timeout) { return value_if(wait_for(timeout)); }
  /// The same until `stop` is requested, which cancels the wait and never the task (that is TaskOptions::stop, or cancel()).
  [[nodiscard]] auto get(const std::stop_token& stop) { return value_if(wait(stop)); }

  /// Waits until there is a value or a failure; throws neither.
  void wait() { handle_.wait(detail::CallHandle::kNever); }
  /// True if there was one in time.
  bool wait_for(std::chrono::nanoseconds timeout) { return handle_.wait(detail::deadline_after(timeout)); }
  bool wait_until(Deadline deadline) { return handle_.wait(detail::deadline_at(deadline)); }
  /// True if there was one before `stop` was requested.
  bool wait(const std::stop_token& stop) { return handle_.wait(stop); }
  /// True if get() would not wait. Looks at the workers' answers; never suspends.
  [[nodiscard]] bool ready() const { return handle_.ready(); }

  /// With Output::capture: the end of what the task has printed, 64 KiB at most. Empty before there is a value or a
  /// failure.
  [[nodiscard]] std::string output() const { return handle_.output(); }

  /// When and where the task ran. nullopt before there is a value or a failure, and where it is not measured: with
  /// TaskOptions::measure_times or PoolOptions::measure_times, or by a pool that has an observer.
  [[nodiscard]] std::optional<TaskTimes> times() const { return handle_.times(); }

  /// Takes the task back if it has not begun: true, and get() throws Cancelled with `reason`. False if it is done, or
  /// has begun, or the worker is just reading it (then it may still come back unread, as Cancelled). One that has begun
  /// is asked to stop (TaskScope::stop_token()): if it throws Cancelled, so does get(), with `reason`; if it does not
  /// heed it, its value comes as if nothing had been asked.
  bool cancel(const std::string& reason = {}) { return handle_.cancel(reason); }

  /// Calls `callback` with the value once it is there: on the thread that happens to read it (one that waits, one that requests a
  /// stop, or weft's own), or here and now if it has come already. It must not wait for other executions and should be
  /// short. The Execution may be gone by then. Several callbacks run in order; those of different Executions may run at the
  /// same time. Not called on failure.
  template <class Callback>
  Execution& then(Callback callback) {
    return on_settled([callback = std::move(callback)](Execution& self) mutable {
      try {
        static_cast<void>(self.handle_.value(detail::CallHandle::Asks::looking));
      } catch (...) {
        self.handle_.unheard(std::current_exception());
        return;  // fail<E>() is for those
      }
      if constexpr (std::is_void_v<R>) {
        callback();
      } else {
        callback(self.value());
      }
    });
  }

  /// Calls `callback` with the failure, if it is an E, under the same rules as then(). A failure that no fail<E>() was for,
  /// of an Execution that is let go of without a get() or the like, goes to on_unheard_failure().
  template <class E = std::exception, class Callback>
  Execution& fail(Callback callback) {
    return on_settled([callback = std::move(callback)](Execution& self) mutable {
      try {
        static_cast<void>(self.handle_.value(detail::CallHandle::Asks::looking));
      } catch (const E& error) {
        self.handle_.heard();
        callback(error);
      } catch (...) {
        self.handle_.unheard(
            std::current_exception());  // another fail<E>() may be for it, and get() throws it
      }
    });
  }

  /// Calls `callback` with nothing, whatever it was that came, under the same rules as then().
  template <class Callback>
  Execution& finally(Callback callback) {
    return on_settled([callback = std::move(callback)](Execution&) mutable { callback(); });
  }

  /// This side's end of the channel that the task takes by TaskScope::channel<Receive, Send>(key): what is sent here is
  /// received there. Each key names a channel of its own. Values that are sent before the task takes its end wait, 64 at the
  /// most. It is closed when the task ends, however it ends: what was sent before can still be received. Throws
  /// ArgumentError if this key was taken before, or if the task's end is of other types; where the task takes its end
  /// only later, send() and receive() throw that.
  template <class Send, class Receive>
  [[nodiscard]] Channel<Send, Receive> channel(std::string_view key = {}) {
    return Channel<Send, Receive>{std::make_unique<detail::RemoteEnd<Send, Receive>>(
        handle_.channel({key, detail::signature<Receive(Send)>()}))};
  }

  /// How far the task says that it is (TaskScope::progress()); all zero if it has said nothing. Never suspends.
  [[nodiscard]] Progress progress() const { return handle_.progress(); }
  /// Calls `callback` with a weft::Progress whenever the task has got on, under the same rules as then(). Words that
  /// come faster than it runs are left out; the last one is not.
  template <class Callback>
  Execution& on_progress(Callback callback) {
    handle_.on_progress(std::move(callback));
    return *this;
  }

  /// For select().
  friend detail::CallWatch watch_of(Execution& execution) noexcept {
    return detail::CallWatch{execution.handle_};
  }

 private:
  friend struct detail::HandleOf;

  R value() const { return value_of(handle_.value()); }
  [[nodiscard]] auto value_if(bool settled) const {
    if constexpr (std::is_void_v<R>) {
      if (settled) value();
      return settled;
    } else {
      return settled ? std::optional<R>{value()} : std::nullopt;
    }
  }
  static R value_of(const detail::Payload& payload) {
    if constexpr (std::is_void_v<R>) {
      static_cast<void>(detail::unpack<>(payload));
    } else {
      return std::get<0>(detail::unpack<R>(payload));
    }
  }

  template <class Step>
  Execution& on_settled(Step step) {
    // The callback looks at the call through a view of its own, since this object may have moved or gone by then.
    handle_.on_settled([view = handle_.view(), step = std::move(step)]() mutable {
      Execution self{view.handle()};
      step(self);
    });
    return *this;
  }

  detail::CallHandle handle_;
};

/// What is done with failures that callbacks were registered beside (then, fail<E>) and none was for. Not said: a line on
/// stderr. `handler` may be called on any thread, must not wait, and must not throw.
WEFT_EXPORT void on_unheard_failure(std::function<void(const std::exception_ptr&)> handler);

}  // namespace weft
