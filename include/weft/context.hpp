#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <weft/channel.hpp>
#include <weft/detail/submitter.hpp>
#include <weft/execution.hpp>
#include <weft/export.hpp>
#include <weft/pool.hpp>
#include <weft/stream.hpp>

namespace weft {

/// What a context is, beside the task that it runs: taken as it is when start_context() is called.
struct ContextOptions {
  /// WorkerOptions::kind: exec, a process of its own; or thread, a thread of this program, which has the same interface
  /// but for what needs a process: pid(), signal() and the streams throw ArgumentError, and it cannot be killed
  /// (WorkerKind::thread).
  WorkerOptions worker = {};
  /// Which of the process's standard streams are pipes to here; the others are as `worker.output` says. A process that
  /// prints to a pipe that nobody reads waits once that is full.
  bool pipe_input = false;
  bool pipe_output = false;
  bool pipe_errors = false;
};

namespace detail {

/// The process, or thread, of a Context.
class WEFT_EXPORT ContextProcess : public Submitter<ContextProcess> {
 public:
  explicit ContextProcess(const ContextOptions& options);
  ContextProcess(ContextProcess&&) noexcept = default;
  ContextProcess& operator=(ContextProcess&& other) noexcept;
  ~ContextProcess();

  [[nodiscard]] bool is_running() const;
  [[nodiscard]] std::int64_t pid() const;
  bool signal(int number) const;
  void kill(const std::string& reason) const;
  bool end(std::uint64_t deadline_ns) const;

  WriteStream input;
  ReadStream output;
  ReadStream errors;

 private:
  friend class Submitter<ContextProcess>;
  [[nodiscard]] work::PoolCore& core() const;
  [[nodiscard]] static const TaskOptions* task_options() noexcept { return nullptr; }

  std::shared_ptr<work::PoolCore> core_;
  bool is_thread_ = false;
};

}  // namespace detail

/// A process of its own that runs one long task, and a channel to it: made by start_context(). Send is what this side sends
/// and the task receives.
///
///   auto context = weft::start_context<daemon, Order, Report>({.pipe_output = true}, 3);
///   context.channel().send(order);
///   const Report report = context.channel().receive();
///
/// Owner: the program; moves. Threads: channel() any, the rest one at a time. Crash: of the process: join() tells.
/// Destroying it kills the process; a thread is asked to stop, its channels close, and it ends when its task returns.
template <class Send, class Receive, class R>
class [[nodiscard]] Context {
 public:
  Context(detail::ContextProcess process, Execution<R> execution)
      : process_{std::move(process)},
        execution_{std::move(execution)},
        channel_{execution_.template channel<Send, Receive>()} {}

  /// The task's counterpart is TaskScope::channel<Receive, Send>().
  [[nodiscard]] Channel<Send, Receive>& channel() noexcept { return channel_; }
  /// Further channels, each once: the task's counterpart is TaskScope::channel<B, A>(key).
  template <class A, class B>
  [[nodiscard]] Channel<A, B> channel(std::string_view key) {
    return execution_.template channel<A, B>(key);
  }
  /// The task itself: progress(), then(), output(), and cancel(), which asks it to stop.
  [[nodiscard]] Execution<R>& execution() noexcept { return execution_; }

  /// Waits for the task's end and then for the process's. Gives the task's value, or throws its failure: as
  /// Execution::get(). Suspends. Does not close the channel: a task that receives until that is closed needs close() first.
  R join() {
    execution_.wait();
    static_cast<void>(process_.end(detail::kNever));
    return execution_.get();
  }
  /// True if join() would not wait after `timeout` at the most.
  [[nodiscard]] bool join_for(std::chrono::nanoseconds timeout) {
    const std::uint64_t deadline_ns = detail::deadline_after(timeout);
    return execution_.wait_until(
               Deadline{std::chrono::nanoseconds{static_cast<std::int64_t>(deadline_ns)}}) &&
           process_.end(deadline_ns);
  }

  /// The process, once it runs; 0 before, and after its end. Throws ArgumentError of a thread.
  [[nodiscard]] std::int64_t pid() const { return process_.pid(); }
  [[nodiscard]] bool is_running() const { return process_.is_running(); }
  /// Sends the process a signal. False if it has not started yet or has ended. SIGINT and SIGQUIT are ignored there,
  /// unless the task says otherwise. Throws ArgumentError of a thread.
  bool signal(int number) { return process_.signal(number); }
  /// Ends the process at once; join() throws WorkerKilled then. A thread is asked to stop, and join() waits for its end.
  void kill() { process_.kill("the context was killed"); }

  /// Its standard streams, where ContextOptions made them pipes.
  [[nodiscard]] WriteStream& input() noexcept { return process_.input; }
  [[nodiscard]] ReadStream& output() noexcept { return process_.output; }
  [[nodiscard]] ReadStream& errors() noexcept { return process_.errors; }

 private:
  detail::ContextProcess process_;
  Execution<R> execution_;
  Channel<Send, Receive> channel_;
};

/// Starts a process (or thread) that runs the function `Function(args...)`, which takes a TaskScope& first and its
/// channel from there: `scope.channel<Receive, Send>()`. Returns at once; a start that fails shows in join(). Throws
/// ArgumentError, NotInitialized, EncodingError, Exhausted.
template <auto Function, class Send, class Receive, class... Args>
auto start_context(const ContextOptions& options, Args&&... args) {
  detail::ContextProcess process{options};
  auto execution = process.template submit<Function>(std::forward<Args>(args)...);
  using R = typename decltype(execution)::Result;
  return Context<Send, Receive, R>{std::move(process), std::move(execution)};
}
/// The same with whatever else can be submitted: a lambda, an aggregate with run(), a task of another binary by name.
template <class Send, class Receive, class Task, class... Args>
auto start_context(const ContextOptions& options, const Task& task, Args&&... args) {
  detail::ContextProcess process{options};
  auto execution = process.submit(task, std::forward<Args>(args)...);
  using R = typename decltype(execution)::Result;
  return Context<Send, Receive, R>{std::move(process), std::move(execution)};
}

}  // namespace weft
