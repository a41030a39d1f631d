#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <weft/pool.hpp>
#include <weft/worker.hpp>

#include "base/limits.hpp"
#include "process/cpus.hpp"
#include "process/forked.hpp"
#include "process/module.hpp"
#include "work/core_options.hpp"
#include "work/initialized.hpp"
#include "work/observation.hpp"
#include "work/output.hpp"
#include "work/pool_core.hpp"
#include "work/worker_main.hpp"

namespace weft {

std::uint64_t detail::id_of(const TaskEntry& entry) {
  const std::uint64_t id = process::code_id(&entry);
  if (id == 0) {
    throw Error{
        std::string{entry.name()} +
            ": the program or library that contains this task was linked without a build id; link it with "
            "-Wl,--build-id",
        {}};
  }
  return id;
}

work::Call& detail::submit_to(work::PoolCore& core, const Request& request) {
  work::require_unforked();
  return core.submit(request);
}

work::Call& detail::submit_to(work::PoolCore& core, const Request& request, const Route& route) {
  work::require_unforked();
  if (route.share == nullptr && route.worker == 0) return core.submit(request);
  return core.submit(request, route);
}

std::vector<std::uint64_t> detail::worker_ids(work::PoolCore& core) { return core.workers(); }

std::size_t detail::workers_of(const work::PoolCore& core) { return core.limit(); }

namespace {

[[noreturn]] void throw_moved_from() { throw Closed{"this pool or worker was moved from"}; }

process::Allowance allowance(const WorkerLimits& limits) {
  constexpr std::uint64_t kMemoryMin = 16U << 20;
  constexpr std::size_t kOpenFilesMin = 32;
  if (limits.memory_bytes != 0 && limits.memory_bytes < kMemoryMin)
    throw ArgumentError{"WorkerLimits::memory_bytes is less than 16 MiB: no worker starts with that"};
  if (limits.cpu_time < std::chrono::seconds::zero())
    throw ArgumentError{"WorkerLimits::cpu_time is negative: give 0 for no limit"};
  if (limits.open_files != 0 && limits.open_files < kOpenFilesMin)
    throw ArgumentError{"WorkerLimits::open_files is less than 32: weft itself needs about 12"};
  if (limits.nice && (*limits.nice < -20 || *limits.nice > 19))
    throw ArgumentError{"WorkerLimits::nice is " + std::to_string(*limits.nice) + ": it goes from -20 to 19"};
  const long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
  for (const unsigned cpu : limits.cpus) {
    if (cpu >= static_cast<unsigned long>(cpus)) {
      throw ArgumentError{"WorkerLimits::cpus names CPU " + std::to_string(cpu) + ", and this machine has " +
                          std::to_string(cpus) + ", counted from 0"};
    }
  }
  return {limits.memory_bytes, static_cast<std::uint64_t>(limits.cpu_time.count()), limits.open_files,
          limits.nice, limits.cpus};
}

void require_nothing_of_a_process(const WorkerOptions& worker) {
  const char* const what = !worker.binary.empty()              ? "binary"
                           : worker.environment                ? "environment"
                           : !worker.working_directory.empty() ? "working_directory"
                           : worker.output != Output::inherit  ? "output"
                           : !allowance(worker.limits).empty() ? "limits"
                                                               : nullptr;
  if (what == nullptr) return;
  throw ArgumentError{
      std::string{"WorkerOptions::"} + what +
      " is for worker processes, and with WorkerKind::thread and caller tasks run in this one"};
}

}  // namespace

work::CoreOptions work::core_options(const WorkerOptions& worker, std::size_t limit) {
  work::require_initialized();
  if (worker.start_timeout < std::chrono::nanoseconds::zero()) {
    throw ArgumentError{"WorkerOptions::start_timeout is negative: give 0 for no limit"};
  }
  if (worker.busy_poll < std::chrono::nanoseconds::zero() || worker.busy_poll > std::chrono::hours{1})
    throw ArgumentError{"WorkerOptions::busy_poll goes from 0, which is none, to an hour"};
  if (worker.kind > WorkerKind::caller)
    throw ArgumentError{"WorkerOptions::kind is none of exec, zygote, thread and caller"};
  if (!work::is_process(worker.kind)) require_nothing_of_a_process(worker);
  if (worker.output > Output::capture)
    throw ArgumentError{"WorkerOptions::output is none of inherit, lines and capture"};
  if (!worker.output_prefix.empty() && worker.output != Output::lines)
    throw ArgumentError{"WorkerOptions::output_prefix is for Output::lines alone"};
  work::CoreOptions options;
  options.kind = worker.kind;
  options.tasks_at_once = static_cast<std::uint32_t>(
      std::clamp<std::size_t>(worker.tasks_at_once, 1, std::size_t{base::kWindowMax}));
  options.busy_poll_ns = static_cast<std::uint64_t>(worker.busy_poll.count());
  options.nesting_depth = nesting_depth();
  options.observers = observers_of_all();
  options.limit = limit;
  options.start_timeout_ns = static_cast<std::uint64_t>(worker.start_timeout.count());
  if (!worker.binary.empty()) options.executable = worker.binary;
  options.environment = worker.environment;
  options.working_directory = worker.working_directory;
  options.allowance = allowance(worker.limits);
  options.output = worker.output;
  options.output_prefix = worker.output_prefix;
  if (worker.initializer.entry() != nullptr) options.initializer = detail::id_of(*worker.initializer.entry());
  return options;
}

namespace {

/// The core, for everything that looks at the workers. Throws Error in a forked child.
work::PoolCore* own(const std::shared_ptr<work::PoolCore>& core) {
  work::require_unforked();
  return core.get();
}

bool shut_down(const std::shared_ptr<work::PoolCore>& core, std::uint64_t deadline_ns) {
  const bool done = own(core)->shutdown(deadline_ns);
  work::WorkerOutput::flush();
  return done;
}

}  // namespace

/// In a forked child the workers are the parent's, and nothing may be touched.
void work::let_go(const std::shared_ptr<work::PoolCore>& core) {
  if (!core) return;
  if (process::in_forked_child()) {
    static_cast<void>(
        new std::shared_ptr<work::PoolCore>{core});  // never destroyed: that would speak for the parent
    return;
  }
  core->abandon();
}

namespace {

std::size_t limit_of(const PoolOptions& options) {
  if (!options.limit) return process::cpus_allowed();
  if (*options.limit == 0) {
    throw ArgumentError{
        "PoolOptions::limit is 0: a pool needs at least one worker; leave it out for one a CPU"};
  }
  return *options.limit;
}

}  // namespace

Pool::Pool(PoolOptions options) : limit_{limit_of(options)}, task_{options.task} {
  if (options.minimum > limit_) {
    throw ArgumentError{"PoolOptions::minimum is " + std::to_string(options.minimum) +
                        ", more than the limit of " + std::to_string(limit_)};
  }
  if (options.idle_timeout < std::chrono::nanoseconds::zero())
    throw ArgumentError{"PoolOptions::idle_timeout is negative: give 0 for never"};
  if (options.worker_age < std::chrono::nanoseconds::zero())
    throw ArgumentError{"PoolOptions::worker_age is negative: give 0 for never"};
  if (options.on_full > OnFull::drop_oldest)
    throw ArgumentError{"PoolOptions::on_full is none of wait, reject and drop_oldest"};
  if (options.order > Order::fair) throw ArgumentError{"PoolOptions::order is none of submitted and fair"};
  if (options.task) static_cast<void>(work::terms_of(*options.task));
  work::CoreOptions core = work::core_options(options.worker, limit_);
  if (options.worker_memory_bytes != 0 && !work::is_process(core.kind))
    throw ArgumentError{
        "PoolOptions::worker_memory_bytes is for worker processes, which have memory of their own"};
  core.minimum = options.minimum;
  core.idle_timeout_ns = static_cast<std::uint64_t>(options.idle_timeout.count());
  core.tasks_per_worker = options.tasks_per_worker;
  core.worker_age_ns = static_cast<std::uint64_t>(options.worker_age.count());
  core.worker_memory_bytes = options.worker_memory_bytes;
  core.measure_times = options.measure_times;
  if (options.observer) core.observers.push_back(options.observer);
  if (core.kind != WorkerKind::caller) core.order = options.order;  // there nothing waits
  core.queue_limit = options.queue_limit;
  core.on_full = options.on_full;
  core_ = work::PoolCore::make(std::move(core));
  if (options.worker.kind == WorkerKind::zygote) core_->warm_zygote();
  for (std::size_t i = 0; i < options.minimum; ++i) core_->warm_up();
}

void Pool::resize(std::size_t limit) {
  if (limit == 0) throw ArgumentError{"a pool cannot be resized to 0 workers: it needs at least one"};
  limit_ = limit;
  if (core_) own(core_)->resize(limit);
}

void Pool::restart() {
  if (core_) own(core_)->restart();
}

bool Pool::needs_drain() const { return core_ && own(core_)->needs_drain(); }

void Pool::drain() {
  if (core_) static_cast<void>(own(core_)->wait_until_drained(fiber::Reactor::kNever));
}

void Pool::wait_idle() {
  if (core_) static_cast<void>(own(core_)->wait_until_idle(fiber::Reactor::kNever));
}

bool Pool::wait_idle_for(std::chrono::nanoseconds timeout) {
  return !core_ || own(core_)->wait_until_idle(detail::deadline_after(timeout));
}

namespace {

std::atomic<Pool*> the_pool{nullptr};

}  // namespace

Pool& pool() {
  if (Pool* const chosen = the_pool.load()) return *chosen;
  static Pool own_pool;
  return own_pool;
}

Pool* replace_pool(Pool* other) noexcept { return the_pool.exchange(other); }

Pool& Pool::operator=(Pool&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(limit_, other.limit_);
  std::swap(task_, other.task_);
  return *this;
}

Pool::~Pool() { work::let_go(core_); }

work::PoolCore& Pool::core() const {
  if (!core_) throw_moved_from();
  return *core_;
}

namespace {

PoolStatus status_of(const std::shared_ptr<work::PoolCore>& of) {
  PoolStatus status;
  if (!of) return status;
  work::CoreStatus core = own(of)->status();
  status.queued = core.queued;
  status.running = core.sent;
  status.workers_idle = core.workers_idle;
  status.workers_busy = core.workers_busy;
  status.workers_starting = core.workers_starting;
  status.workers_outdated = core.workers_outdated;
  status.finished = core.finished;
  status.failed = core.failed;
  status.timed_out = core.timed_out;
  status.workers_lost = core.workers_lost;
  status.workers_recycled = core.workers_recycled;
  status.last_recycled = std::move(core.last_recycled);
  status.wait_times = core.wait_times;
  status.run_times = core.run_times;
  status.pids = std::move(core.pids);
  return status;
}

}  // namespace

PoolStatus Pool::status() const { return status_of(core_); }

bool Pool::is_running() const { return core_ && !own(core_)->is_closed(); }

bool Pool::is_idle() const { return core_ && own(core_)->is_idle(); }

void Pool::stop() {
  if (core_) own(core_)->stop();
}

Lease Pool::lease() {
  work::require_unforked();
  work::PoolCore& pool = core();
  return {core_, pool.lease()};
}

PoolView Pool::view(const ViewOptions& options) {
  static_cast<void>(core());
  return {core_, options};
}

void Pool::shutdown() {
  if (core_) static_cast<void>(shut_down(core_, fiber::Reactor::kNever));
}

bool Pool::shutdown_for(std::chrono::nanoseconds timeout) {
  return !core_ || shut_down(core_, detail::deadline_after(timeout));
}

void Pool::kill() {
  if (core_) own(core_)->kill("the pool was killed");
}

Worker::Worker(WorkerOptions options) {
  work::CoreOptions core = work::core_options(options, 1);
  core.replace = false;
  core.minimum = 1;
  // There is nobody else to whom its tasks could go.
  if (options.tasks_at_once == 0) core.tasks_at_once = base::kWindowMax;
  core.what = "worker";
  core_ = work::PoolCore::make(std::move(core));
  core_->warm_up();
}

Worker& Worker::operator=(Worker&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

Worker::~Worker() { work::let_go(core_); }

work::PoolCore& Worker::core() const {
  if (!core_) throw_moved_from();
  return *core_;
}

std::int64_t Worker::pid() const {
  if (!core_) return 0;
  const work::CoreStatus status = own(core_)->status();
  return status.pids.empty() ? 0 : status.pids.front();
}

bool Worker::is_idle() const { return core_ && own(core_)->status().workers_idle == 1; }

void Worker::shutdown() {
  if (core_) static_cast<void>(shut_down(core_, fiber::Reactor::kNever));
}

bool Worker::shutdown_for(std::chrono::nanoseconds timeout) {
  return !core_ || shut_down(core_, detail::deadline_after(timeout));
}

PoolStatus Worker::status() const { return status_of(core_); }

void Worker::kill() {
  if (core_) own(core_)->kill("the worker was killed");
}

}  // namespace weft
