#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <weft/export.hpp>
#include <weft/task_times.hpp>

namespace weft {

/// What an observer is told of a worker. Texts are valid during the call alone.
struct WorkerEvent {
  std::uint64_t pool = 0;    ///< number of the Pool, Worker or context in this process, from 1
  std::string_view owner;    ///< "pool", "worker" or "context"
  std::uint64_t worker = 0;  ///< TaskScope::worker_id()
  std::int64_t pid = 0;      ///< of a thread: this process's own
  bool is_thread = false;    ///< WorkerKind::thread
  std::chrono::steady_clock::time_point at;
  std::string_view
      reason;  ///< worker_ended(): how, and why where that is known: "exited with code 0: shutdown"
};

/// What an observer is told of a task. Texts are valid during the call alone.
struct TaskEvent {
  std::uint64_t task = 0;  ///< number of the task in this process, from 1
  std::uint64_t pool = 0;  ///< as in WorkerEvent
  std::string_view
      name;  ///< of the function, lambda or aggregate, as the compiler spells it; or as it was registered
  std::int64_t thread = 0;  ///< of this process (gettid), where this happened
  /// What is known so far; at task_begun() `begun` is when the worker got to it, as far as it can be seen from here.
  TaskTimes times;
  bool is_thread = false;  ///< it is run by a thread of this process
  std::string_view
      error;  ///< task_settled(): the type of its failure, "std::out_of_range"; empty: it gave a value
  std::string_view message;  ///< the failure's what()
};

/// Is told of all that happens in the pools that it was given to (PoolOptions::observer). Whoever wants to know of some of
/// it overrides those functions.
///
/// They are called outside of all locks, one at a time for each pool, in the order in which things happened, on whatever
/// thread comes by: one that submits or waits, or weft's own. So they should be short; they may submit tasks, and must not
/// wait for any. What they throw is printed. shutdown() returns when they have been told of everything.
///
/// Threads: one at a time for each pool; where several pools have the same observer, several.
class WEFT_EXPORT Observer {
 public:
  Observer() = default;
  virtual ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  /// Its process or thread runs, and gets ready.
  virtual void worker_started(const WorkerEvent& event);
  /// It takes tasks.
  virtual void worker_ready(const WorkerEvent& event);
  /// It is gone. One that could not start has never been ready, and one of which not even a process could be made never
  /// started.
  virtual void worker_ended(const WorkerEvent& event);

  virtual void task_submitted(const TaskEvent& event);
  /// It is the first of those that its worker has: it runs, or is about to. Told anew for each worker that gets to it: one
  /// that dies under it, or from which it is taken back unread, is not the last. Where a worker runs several tasks at
  /// once, those that are not the first are told of when they are done.
  virtual void task_begun(const TaskEvent& event);
  /// There is its value or failure. Told once of each task that was submitted.
  virtual void task_settled(const TaskEvent& event);
};

}  // namespace weft
