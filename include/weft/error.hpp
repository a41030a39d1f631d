#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#include <weft/export.hpp>

namespace weft {

/// What a caller can do about an error, whatever its type.
struct Verdict {
  bool may_have_run = false;    ///< the task may have had effects
  bool retry_is_safe = true;    ///< it had none, or the failure is known to come before them
  bool worker_survived = true;  ///< the worker goes on with other tasks
};

/// Root of every error that weft itself raises. what() says what happened and what to do.
class WEFT_EXPORT Error : public std::runtime_error {
 public:
  Error(const std::string& message, Verdict verdict) : std::runtime_error{message}, verdict_{verdict} {}
  [[nodiscard]] const Verdict& verdict() const noexcept { return verdict_; }

 private:
  Verdict verdict_;
};

/// An argument of the caller's does not hold (limit 0, a negative time). Nothing was started.
class WEFT_EXPORT ArgumentError : public Error {
 public:
  explicit ArgumentError(const std::string& message) : Error{message, {}} {}
};

/// weft::init(argc, argv) was not called at the top of main; without it a worker would run main itself.
class WEFT_EXPORT NotInitialized : public Error {
 public:
  NotInitialized();
};

namespace detail {
/// A text that is made when first asked for: symbolising takes a while.
struct Trace;
}  // namespace detail

/// One exception of a task, and those nested in it (std::throw_with_nested), outermost first.
struct ExceptionInfo {
  std::string type;     ///< demangled, e.g. "std::out_of_range"
  std::string message;  ///< what(), or a description of a value that is no std::exception
};

/// What is known of an exception that a task threw in its worker. Every exception that get() rethrows for a task
/// is also one of these, whatever its standard type: `catch (const weft::TaskException& e)` beside
/// `catch (const std::out_of_range&)`.
class WEFT_EXPORT TaskException {
 public:
  struct Facts {
    std::vector<ExceptionInfo> chain;      ///< at least one
    std::shared_ptr<detail::Trace> trace;  ///< may be null
    std::string output;
  };
  explicit TaskException(Facts facts) : facts_{std::make_shared<const Facts>(std::move(facts))} {}
  virtual ~TaskException() = default;
  [[nodiscard]] const std::string& type() const noexcept { return chain().front().type; }
  [[nodiscard]] const std::string& message() const noexcept { return chain().front().message; }
  /// The exception itself and those nested in it, at least one.
  [[nodiscard]] const std::vector<ExceptionInfo>& chain() const noexcept { return facts_->chain; }
  /// The stack where it was thrown (where it was rethrown last, if the task caught it in between), innermost first, one
  /// frame a line; empty where that is not known. The first call may take some 10 ms.
  [[nodiscard]] std::string trace() const;
  /// The end of what the task printed, 64 KiB at most; empty without Output::capture.
  [[nodiscard]] const std::string& output() const noexcept { return facts_->output; }

 protected:
  TaskException(const TaskException&) = default;
  TaskException& operator=(const TaskException&) = default;

 private:
  std::shared_ptr<const Facts> facts_;  ///< of all copies together, so that none throws
};

/// A task threw an exception whose type is not known here. Known ones (the standard's, and those registered) come as
/// themselves. The worker goes on.
class WEFT_EXPORT TaskFailed : public Error, public TaskException {
 public:
  explicit TaskFailed(TaskException exception);
};

/// How a worker ended, for the errors that tell of it.
struct WorkerEnd {
  std::int64_t pid = 0;
  std::string task;           ///< what it was running, by name; empty if nothing
  int signal = 0;             ///< 0 unless a signal ended it
  int exit_code = 0;          ///< where it exited
  std::uint64_t address = 0;  ///< faulting address, of the signals that have one
  std::string reason;         ///< e.g. the exception that escaped, by type and text
  std::string last_output;    ///< the end of what it printed, 64 KiB at most; empty with Output::inherit
  std::chrono::microseconds cpu_time{0};
  std::uint64_t memory_peak_bytes = 0;
};

/// The worker died under the task: signal or exit code by name, faulting address, symbolised backtrace.
class WEFT_EXPORT WorkerCrashed : public Error {
 public:
  using Trace = detail::Trace;
  WorkerCrashed(const std::string& message, WorkerEnd end, std::shared_ptr<Trace> trace);
  [[nodiscard]] const WorkerEnd& end() const noexcept { return end_; }
  /// The crashed thread's stack, innermost first, one frame a line. The first call may take some 10 ms.
  [[nodiscard]] std::string trace() const;

 private:
  WorkerEnd end_;
  std::shared_ptr<Trace> trace_;
};

/// The task ended its worker by exit(), with whatever code.
class WEFT_EXPORT WorkerExited : public Error {
 public:
  WorkerExited(const std::string& message, WorkerEnd end);
  [[nodiscard]] const WorkerEnd& end() const noexcept { return end_; }
  [[nodiscard]] int code() const noexcept { return end_.exit_code; }

 private:
  WorkerEnd end_;
};

/// kill() of the worker or pool that ran the task, by this program.
class WEFT_EXPORT WorkerKilled : public Error {
 public:
  explicit WorkerKilled(const std::string& message, bool had_begun);
};

/// Whose time was up. A worker's start has a limit too (WorkerOptions::start_timeout), which gives StartFailed.
enum class TimeLimit : std::uint8_t {
  wait,      ///< the waiting call's own; what it waited for goes on
  queue,     ///< TaskOptions::start_within
  run,       ///< TaskOptions::stop_after or run_limit
  deadline,  ///< TaskOptions::deadline
};

/// A time limit of the caller's passed; the message names which, and so does limit().
class WEFT_EXPORT TimedOut : public Error {
 public:
  TimedOut(const std::string& message, Verdict verdict, TimeLimit limit = TimeLimit::wait)
      : Error{message, verdict}, limit_{limit} {}
  /// The same for one that a task threw in its worker.
  [[nodiscard]] TimeLimit limit() const noexcept { return limit_; }

 private:
  TimeLimit limit_;
};

/// The queue was full (PoolOptions::queue_limit): submit() throws it, and nothing was submitted (OnFull::reject); or get() does,
/// of a task that was dropped for a newer one before it began (OnFull::drop_oldest).
class QueueFull : public Error {
 public:
  explicit QueueFull(const std::string& message) : Error{message, {}} {}
};

/// cancel() took the task back before it began, or the task heeded it.
class WEFT_EXPORT Cancelled : public Error {
 public:
  explicit Cancelled(const std::string& reason, bool had_begun = false);
};

/// A value cannot be encoded or decoded. Raised at submit, nothing was sent; or on the one execution whose result it was.
class WEFT_EXPORT EncodingError : public Error {
 public:
  explicit EncodingError(const std::string& message, Verdict verdict = {}) : Error{message, verdict} {}
};

/// The worker does not know the task: it is another binary, and the task was not named and registered there. The message
/// names the task, the program that asked for it and the worker's.
class WEFT_EXPORT UnknownTask : public Error {
 public:
  explicit UnknownTask(const std::string& message) : Error{message, {}} {}
};

/// The worker is of another build, wire layout or schema; the message names both sides.
class WEFT_EXPORT Incompatible : public Error {
 public:
  explicit Incompatible(const std::string& message) : Error{message, {}} {}
};

/// A worker could not start: path, errno text, the initializer's exception, the phase it reached.
class WEFT_EXPORT StartFailed : public Error {
 public:
  explicit StartFailed(const std::string& message) : Error{message, {}} {}
};

/// Shared memory, descriptors or processes ran out; the message names the limit and how to raise it.
class WEFT_EXPORT Exhausted : public Error {
 public:
  explicit Exhausted(const std::string& message, Verdict verdict = {}) : Error{message, verdict} {}
};

/// The worker wrote what the protocol does not allow; it was killed, and nobody else notices.
class WEFT_EXPORT ProtocolViolation : public Error {
 public:
  explicit ProtocolViolation(const std::string& message) : Error{message, {true, false, false}} {}
};

/// Of several executions fewer gave a value than any() or any_n() was asked for. The verdict is of all of them together.
class WEFT_EXPORT AggregateError : public Error {
 public:
  /// `errors`: one for each execution, in their order; null for those that gave a value. At least one is not.
  AggregateError(std::size_t wanted, std::vector<std::exception_ptr> errors);
  [[nodiscard]] const std::vector<std::exception_ptr>& errors() const noexcept { return errors_; }

 private:
  std::vector<std::exception_ptr> errors_;
};

/// The pool or worker was shut down.
class WEFT_EXPORT Closed : public Error {
 public:
  explicit Closed(const std::string& message) : Error{message, {}} {}
};

}  // namespace weft
