#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <weft/channel.hpp>
#include <weft/detail/channel_port.hpp>
#include <weft/export.hpp>
#include <weft/progress.hpp>
#include <weft/worker_store.hpp>

namespace weft {

/// What a task may know and use of the worker that runs it: `run(TaskScope&)`, or a first parameter `TaskScope&`.
/// Owner: the worker; valid while the task runs. Threads: the task's.
class WEFT_EXPORT TaskScope {
 public:
  /// The number of this worker among those that the pool has started, from 1.
  [[nodiscard]] std::uint64_t worker_id() const noexcept { return worker_id_; }
  /// By when the submitter wants the task to be done. At that time a stop is requested (stop_token()); else the task goes
  /// on as it is. What it submits to workers of its own has no more time than that; and where it waits to send or receive in a
  /// channel, whichever that is, or in select(), it gets TimedOut then, unless that wait ends sooner of its own. Nothing is
  /// lost by that, and what need not wait is done even later. An Execution is waited for until it has settled, which its own
  /// share of the deadline sees to; locks, permits, barriers, streams and sleeps take as long as they do, since tidying up needs
  /// them. All this holds on the task's own fiber, and not on threads and fibers that it starts.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept;

  /// A stop is requested when the submitter cancels the task, or its deadline or soft time limit has passed. To be
  /// looked at now and then (`stop_requested()`, 1 ns), or given to what can be interrupted. Callbacks registered with it
  /// run on another thread. The first call in a worker starts that thread. Throws Exhausted.
  [[nodiscard]] virtual std::stop_token stop_token() = 0;
  /// Throws Cancelled if a stop is requested: the submitter's get() then throws Cancelled with its own reason.
  void throw_if_stop_requested();

  /// The task's end of the channel that its submitter takes by Execution::channel<Receive, Send>(key): what is sent here is
  /// received there. Each key names a channel of its own; channels of keys that only one side takes hurt nobody. Values that
  /// are sent before the submitter takes its end wait there, 64 at the most; more wait here. It is closed when the task
  /// ends.
  /// Threads: this function, the task's own; the Channel, any. What comes and goes is seen to by the task's own thread:
  /// while that computes or blocks, its other threads' values wait. Throws ArgumentError if this task has taken it
  /// before.
  template <class Send, class Receive>
  [[nodiscard]] Channel<Send, Receive> channel(std::string_view key = {}) {
    return Channel<Send, Receive>{std::make_unique<detail::RemoteEnd<Send, Receive>>(
        open_channel({key, detail::signature<Send(Receive)>()}))};
  }

  /// Tells the submitter how far the task is (Execution::progress()). May be called as often as one likes: it is sent
  /// on every 100 us at the most, the latest, and always when the worker goes to sleep and before the task's end.
  /// Threads: the task's own.
  void progress(std::uint64_t done, std::uint64_t total = 0) { tell_progress({done, total}); }

  /// What this worker's tasks keep for each other; its initializer has it too. Threads: any.
  [[nodiscard]] virtual WorkerStore& store() noexcept = 0;

  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

 protected:
  TaskScope(std::uint64_t worker_id, std::uint64_t deadline_ns) noexcept
      : worker_id_{worker_id}, deadline_ns_{deadline_ns} {}
  ~TaskScope() = default;

 private:
  virtual std::shared_ptr<detail::ChannelPort> open_channel(const detail::ChannelName& name) = 0;
  virtual void tell_progress(const Progress& progress) = 0;
  std::uint64_t worker_id_;
  std::uint64_t deadline_ns_;
};

}  // namespace weft
