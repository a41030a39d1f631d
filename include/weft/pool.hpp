#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weft/detail/submitter.hpp>
#include <weft/execution.hpp>
#include <weft/export.hpp>
#include <weft/histogram.hpp>
#include <weft/initializer.hpp>
#include <weft/lease.hpp>
#include <weft/observer.hpp>
#include <weft/pool_view.hpp>

namespace weft {

/// What becomes of what a worker (or a program that it starts) prints to stdout and stderr. Whatever it is, the way that
/// tasks and values take is another.
enum class Output : std::uint8_t {
  inherit,  ///< it goes to this program's own stdout and stderr, at no cost: lines of several workers may mix
  /// It comes here and is written on by whole lines, each to the stream that it was printed to. shutdown() returns once
  /// all is written; what has come in by the end of the program is written then.
  lines,
  /// It is printed nowhere: what a task printed (what its worker did, where that runs several at once) is in its error,
  /// TaskException::output() or WorkerEnd::last_output, and in Execution::output(). 64 KiB at most, the last. Costs some
  /// us a task.
  capture,
};

/// What each worker may use at the most. Whoever goes over one of these is told its name; it costs nobody else anything.
/// They hold from before weft::init in the worker on, for what it starts too, each process on its own.
struct WorkerLimits {
  /// Memory of its own that can be written: heap, static data, threads' stacks (RLIMIT_DATA). 0: no limit; else at least 16
  /// MiB. Weft's shared memory, and so every weft::Buffer, is not counted. A task that needs more gets std::bad_alloc.
  std::uint64_t memory_bytes = 0;
  /// Processor time in all, its start included (RLIMIT_CPU). 0: no limit; else at least 1 s. A worker that has used it is
  /// killed and replaced; what it ran fails with WorkerKilled.
  std::chrono::seconds cpu_time{0};
  /// Descriptors (RLIMIT_NOFILE). 0: this process's own limit; else at least 32, of which weft uses about 12, and one more
  /// for every 64 MiB of buffers that it shares.
  std::size_t open_files = 0;
  /// -20 (first to run) to 19 (last); this process's own if not given.
  std::optional<int> nice = std::nullopt;
  /// The CPUs that it may run on, counted from 0; empty: those of this process.
  std::vector<unsigned> cpus = {};
};

/// What workers are.
enum class WorkerKind : std::uint8_t {
  /// A process each: this program (or `binary`) started anew.
  exec,
  /// A process each, copied from one of this pool's that has run the initializer: there in a fraction of the time, and
  /// what the initializer has loaded is in all of them and in memory once, until it is written to. The initializer must
  /// leave no thread running, wait for nothing of weft's and make no weft::Buffer (StartFailed); handlers of
  /// pthread_atfork() do not run; a generator of random numbers that it seeds gives the same numbers in each worker.
  /// WorkerLimits hold for the copies, from their first task on. restart() starts from the initializer again.
  zygote,
  /// A thread each, of this process: for tasks that need no isolation. What a task costs is what it costs in a process; a
  /// start costs some 0.1 ms, and the initializer runs in each thread. A task that crashes takes the program along. A thread
  /// cannot be killed: kill() and the pool's destructor settle what runs as WorkerKilled at once and ask it to stop
  /// (TaskScope::stop_token()), its channels close, and the thread ends when its tasks have returned, for which only
  /// shutdown() waits; the end of the program cuts them off. So run_limit and what else needs a process throws
  /// ArgumentError. A task may wait for others of its own pool, even where all its workers do so: they take on others
  /// meanwhile, on fibers. A pid is this process's own. Threads have all signals blocked.
  thread,
  /// None: submit() runs the task on the thread that calls it, and returns when that is done. Arguments and values are
  /// encoded and decoded all the same, so that what works here works in a process: for debugging, and where processes
  /// cannot be had. Nothing is isolated: a task that crashes takes the program along, and none can be killed (run_limit
  /// and what else needs a process throws ArgumentError).
  caller,
};

/// How workers are started.
struct WorkerOptions {
  WorkerKind kind = WorkerKind::exec;
  /// The program that workers run. Empty: this program itself, whose functions they then know. Another one must call
  /// weft::init too, and knows named tasks alone.
  std::string binary = {};
  /// "NAME=value" each; this process's own environment when absent.
  std::optional<std::vector<std::string>> environment = std::nullopt;
  /// Empty: this process's own.
  std::string working_directory = {};
  /// Runs in each worker before its first task (WorkerKind::zygote: once, before the workers are copied); a worker whose
  /// initializer throws has not started.
  Initializer initializer = {};
  /// From spawn to the end of the initializer; 0: no limit.
  std::chrono::nanoseconds start_timeout = std::chrono::seconds{30};
  /// Tasks that a worker may have in hand at a time, 512 at the most: while one suspends (weft::sleep_for, a channel, an
  /// Execution), the others run. 0: one, but more where tasks are so short that they would wait for each other's way; and
  /// any number for a Worker, which has nobody to leave them to.
  std::size_t tasks_at_once = 0;
  /// Before it sleeps, an idle worker, and a thread or fiber that waits for a task, goes on looking for so long, an hour at the
  /// most. What comes meanwhile is there in 1 to 3 us, and not in the 10 to 80 us of a wake; it costs the time of a CPU, which
  /// others that want to run are given. 0: they sleep after some 50 us. Nobody does it while the pool has as many workers as
  /// CPUs. While somebody does, another thread's submit() takes some 1 us more.
  std::chrono::nanoseconds busy_poll{0};
  WorkerLimits limits = {};
  /// With `lines` and `capture` a worker's stdout is written line by line, as on a terminal, and when its task ends. A
  /// worker that prints faster than this program can write waits, and nobody else does.
  Output output = Output::inherit;
  /// Output::lines: stands before each line; "{worker}" becomes the worker's number, "{pid}" its process id.
  std::string output_prefix = {};
};

/// What submit() does while PoolOptions::queue_limit tasks wait.
enum class OnFull : std::uint8_t {
  wait,         ///< suspends until there is room
  reject,       ///< throws QueueFull
  drop_oldest,  ///< takes the new task; of those that wait with the lowest priority the first fails with QueueFull
};

/// Whose turn it is among tasks that wait and have one priority. Those of each PoolView take turns in any case.
enum class Order : std::uint8_t {
  submitted,  ///< first in, first out
  /// Those of each thread that submits take turns: one that submits thousands holds up no other. Costs some 0.1 us a task.
  fair,
};

/// How a pool is to be, from its construction on; the limit alone can be changed later (Pool::resize()).
struct PoolOptions {
  /// Workers at the most, at least 1. Not given: the CPUs that this process may use, by affinity and cgroup
  /// quota.
  std::optional<std::size_t> limit = std::nullopt;
  /// So many are started at once, and kept.
  std::size_t minimum = 0;
  /// A worker that has had nothing to do for so long ends, down to `minimum`. 0: never.
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds{30};
  /// A worker is replaced after so many tasks, whatever they leave behind in it. 0: never.
  std::uint64_t tasks_per_worker = 0;
  /// A worker is replaced so long after its start, once it has done what it has. 0: never.
  std::chrono::nanoseconds worker_age{0};
  /// So is one that holds more memory of its own than this; looked at every second while it has tasks. What has to be held
  /// under all circumstances is WorkerLimits::memory_bytes. 0: never.
  std::uint64_t worker_memory_bytes = 0;
  /// Measures how long tasks wait and run, for PoolStatus and Execution::times(): each task pays some 0.3 us for
  /// reading clocks, here and there.
  bool measure_times = false;
  /// So many tasks may wait for a worker; what submit() does with the next says `on_full`. 0: any number.
  std::size_t queue_limit = 0;
  OnFull on_full = OnFull::wait;
  Order order = Order::submitted;
  /// Is told of the pool's workers and tasks. Each task pays some 0.7 us for it, and what the observer takes.
  std::shared_ptr<Observer> observer = {};
  /// What holds for tasks that are submitted without with().
  std::optional<TaskOptions> task = std::nullopt;
  WorkerOptions worker = {};
};

/// What a pool is at, as of the moment when Pool::status() was called: a copy, which nobody updates.
struct PoolStatus {
  std::size_t queued = 0;              ///< tasks that no worker has
  std::size_t running = 0;             ///< tasks that a worker has, begun or about to
  std::size_t workers_idle = 0;        //
  std::size_t workers_busy = 0;        //
  std::size_t workers_starting = 0;    //
  std::size_t workers_outdated = 0;    ///< workers that restart() has yet to replace
  std::uint64_t finished = 0;          ///< tasks that gave a value
  std::uint64_t failed = 0;            ///< tasks that did not, but for those that timed out
  std::uint64_t timed_out = 0;         ///< tasks that failed with TimedOut, by a limit of their TaskOptions
  std::uint64_t workers_lost = 0;      ///< workers that ended without being asked to
  std::uint64_t workers_recycled = 0;  ///< workers that were replaced for their tasks, age or memory
  std::string last_recycled;           ///< which one that was last, and why
  /// With PoolOptions::measure_times, of tasks that workers have answered: from submit() to the begin and back again, and
  /// in between.
  Histogram wait_times;
  Histogram run_times;
  std::vector<std::int64_t> pids;  ///< of the workers that take tasks
};

/// Worker processes that share a queue of tasks. No process is started before the first task; from then on one for
/// each task that finds no idle worker, up to the limit. Of several idle workers the one that was busy last is taken, so that
/// the others are let go of when there is less to do (PoolOptions::idle_timeout).
///
///   weft::Pool pool{{.limit = 8}};
///   auto sum = pool.submit<checksum>("photo.jpg");       // a function
///   auto thumb = pool.submit(Thumbnail{"photo.jpg"});    // an aggregate with run()
///   auto answer = pool.submit([k = 3](int x) { return k * x; }, 14);
///
/// Owner: the program. Threads: any. Blocks: shutdown(), wait_idle(), drain(), lease(), map() and for_each() suspend, and so
/// does submit() where the queue is full and `on_full` says wait; the rest never does. Crash: of a worker: what had begun
/// there fails with WorkerCrashed, everything else goes on; of this process: its workers end with it.
class WEFT_EXPORT Pool : public detail::Submitter<Pool> {
 public:
  /// Throws ArgumentError (limit 0), NotInitialized, Exhausted.
  explicit Pool(PoolOptions options = {});
  Pool(Pool&&) noexcept = default;
  Pool& operator=(Pool&&) noexcept;
  /// Kills the workers, and says on stderr how many unfinished tasks that cost. They fail with WorkerKilled or Closed.
  /// Waits for nothing, but for threads (WorkerKind::thread) that have nothing to do: they end by themselves, and it blocks
  /// until they have, 100 ms at the most.
  ~Pool();

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

  /// Runs `Function(args...)` once in each worker that takes tasks now: their executions, none if there is no worker yet.
  /// What every worker needs, those that start later too, is a matter for WorkerOptions::initializer.
  template <auto Function, class... Args>
  auto broadcast(const Args&... args) {
    std::vector<decltype(this->template submit<Function>(args...))> executions;
    for (const std::uint64_t worker : detail::worker_ids(core()))
      executions.push_back(detail::Pinned{core(), task_options(), worker}.submit<Function>(args...));
    return executions;
  }
  /// The same with whatever submit() takes: an aggregate, a lambda and its arguments, a named task and its arguments.
  template <class Task, class... Args>
  auto broadcast(const Task& task, const Args&... args) {
    std::vector<decltype(this->submit(task, args...))> executions;
    for (const std::uint64_t worker : detail::worker_ids(core()))
      executions.push_back(detail::Pinned{core(), task_options(), worker}.submit(task, args...));
    return executions;
  }
  /// A worker of one's own for a while. Suspends until there is one with nothing to do. A pool whose workers are all leased
  /// runs nothing else. Throws Closed, StartFailed.
  [[nodiscard]] Lease lease();
  /// The pool for one of several submitters, who take turns. Throws ArgumentError (of a negative time).
  [[nodiscard]] PoolView view(const ViewOptions& options = {});

  /// Another limit from now on. Workers that are too many finish what they have and end. Throws ArgumentError (0).
  void resize(std::size_t limit);
  /// Replaces all workers, by and by: each finishes what it has begun and ends, and the next one goes when another is
  /// ready in its place. So no more than one in eight is away at a time, one at least. Returns at once: until its turn has come
  /// (PoolStatus::workers_outdated) a worker takes tasks as before; those with nothing to do come first, and one that is leased when
  /// the lease is over. Where the new ones do not start, the old ones stay: after 5 failures in 10 s that is the end of it.
  void restart();
  /// True while PoolOptions::queue_limit tasks wait: submit() would do what `on_full` says.
  [[nodiscard]] bool needs_drain() const;
  /// Suspends until fewer do.
  void drain();
  /// Suspends until no task waits or runs.
  void wait_idle();
  /// The same for at most `timeout`; false if it is not so by then.
  [[nodiscard]] bool wait_idle_for(std::chrono::nanoseconds timeout);
  [[nodiscard]] PoolStatus status() const;
  /// True until it is shut down, stopped or killed. A pool without a worker runs too: it starts one for the next task.
  [[nodiscard]] bool is_running() const;
  /// True if it runs and has no task that waits or runs.
  [[nodiscard]] bool is_idle() const;

  /// Refuses further tasks and drops those that have not begun: both fail with Closed, as after kill(), since it is the pool that
  /// ends and nobody who has cancelled just this task. What has begun finishes, then its worker ends. Returns at once, so that a
  /// callback of an Execution may do it; shutdown() waits for the rest.
  void stop();
  /// Refuses further tasks (Closed), waits for those submitted, ends the workers. Suspends.
  void shutdown();
  /// The same for at most `timeout`; false if it is not done by then. Call it again, or kill().
  bool shutdown_for(std::chrono::nanoseconds timeout);
  /// Ends the workers at once. Tasks that a worker has fail with WorkerKilled (verdict() says whether they may have run), the others with Closed.
  void kill();

 private:
  friend class detail::Submitter<Pool>;
  /// Throws Closed if there is none, since this was moved from.
  [[nodiscard]] work::PoolCore& core() const;
  [[nodiscard]] const TaskOptions* task_options() const noexcept { return task_ ? &*task_ : nullptr; }

  std::shared_ptr<work::PoolCore> core_;
  std::size_t limit_ = 0;
  std::optional<TaskOptions> task_;
};

/// This process's own pool (a worker process has one of its own), made with default options when first asked for. It ends with it.
WEFT_EXPORT Pool& pool();
/// Puts another in its place, which the caller keeps; the first one that was made ends with the program all the same.
/// Returns the one before, if any. nullptr: the next pool() makes one.
WEFT_EXPORT Pool* replace_pool(Pool* other) noexcept;

/// pool().submit().
template <auto Function, class... Args>
auto submit(Args&&... args) {
  return pool().submit<Function>(std::forward<Args>(args)...);
}
template <class Task, class... Args>
auto submit(const Task& task, Args&&... args) {
  return pool().submit(task, std::forward<Args>(args)...);
}

}  // namespace weft
