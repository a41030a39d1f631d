#include <weft/pool.hpp>

#include <weft/worker.hpp>

#include "process/cpus.hpp"
#include "process/module.hpp"
#include "work/initialized.hpp"
#include "work/pool_core.hpp"

namespace weft {

namespace {

std::uint64_t code_id_of(const detail::TaskEntry* entry) {
  const std::uint64_t id = process::code_id(entry);
  if (id == 0) {
    throw Error{std::string{entry->name()} + ": the program or library that contains this task was linked without a build id; link it with -Wl,--build-id", {}};
  }
  return id;
}

work::CoreOptions core_options(const WorkerOptions& worker, std::size_t limit) {
  work::require_initialized();
  if (worker.start_timeout < std::chrono::nanoseconds::zero()) {
    throw ArgumentError{"WorkerOptions::start_timeout is negative: give 0 for no limit"};
  }
  work::CoreOptions options;
  options.limit = limit;
  options.start_timeout_ns = static_cast<std::uint64_t>(worker.start_timeout.count());
  if (!worker.binary.empty()) options.executable = worker.binary;
  options.environment = worker.environment;
  options.working_directory = worker.working_directory;
  if (worker.initializer.entry() != nullptr) options.initializer = code_id_of(worker.initializer.entry());
  return options;
}

detail::CallHandle submit_to(work::PoolCore* core, const detail::Request& request) {
  if (core == nullptr) throw Closed{"this pool or worker was moved from"};
  work::Submission submission;
  if (request.entry != nullptr) {
    // Rows of the same task are the rule.
    thread_local const detail::TaskEntry* last_entry = nullptr;
    thread_local std::uint64_t last_id = 0;
    if (request.entry != last_entry) {
      last_id = code_id_of(request.entry);
      last_entry = request.entry;
    }
    submission.function = last_id;
  } else {
    submission.function = request.named_id;
    submission.flags = wire::kNamed;
  }
  submission.encoding = request.payload.encoding;
  submission.bytes = request.payload.bytes;
  submission.attachments = request.payload.attachments;
  return detail::CallHandle{core->submit(submission)};
}

std::size_t limit_of(const PoolOptions& options) {
  if (!options.limit) return process::cpus_allowed();
  if (*options.limit == 0) {
    throw ArgumentError{"PoolOptions::limit is 0: a pool needs at least one worker; leave it out for one a CPU"};
  }
  return *options.limit;
}

}  // namespace

Pool::Pool(PoolOptions options) : limit_{limit_of(options)} {
  core_ = work::PoolCore::make(core_options(options.worker, limit_));
}

Pool& Pool::operator=(Pool&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(limit_, other.limit_);
  return *this;
}

Pool::~Pool() {
  if (core_) core_->abandon();
}

detail::CallHandle Pool::submit_call(const detail::Request& request) { return submit_to(core_.get(), request); }

PoolStatus Pool::status() const {
  PoolStatus status;
  if (!core_) return status;
  work::CoreStatus core = core_->status();
  status.queued = core.queued;
  status.running = core.sent;
  status.workers_idle = core.workers_idle;
  status.workers_busy = core.workers_busy;
  status.workers_starting = core.workers_starting;
  status.finished = core.finished;
  status.failed = core.failed;
  status.workers_lost = core.workers_lost;
  status.pids = std::move(core.pids);
  return status;
}

void Pool::shutdown() {
  if (core_) static_cast<void>(core_->shutdown(fiber::Reactor::kNever));
}

bool Pool::shutdown_for(std::chrono::nanoseconds timeout) {
  return !core_ || core_->shutdown(detail::deadline_after(timeout));
}

void Pool::kill() {
  if (core_) core_->kill("the pool was killed");
}

Worker::Worker(WorkerOptions options) {
  work::CoreOptions core = core_options(options, 1);
  core.replace = false;
  core.what = "worker";
  core_ = work::PoolCore::make(std::move(core));
  core_->warm_up();
}

Worker& Worker::operator=(Worker&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

Worker::~Worker() {
  if (core_) core_->abandon();
}

detail::CallHandle Worker::submit_call(const detail::Request& request) { return submit_to(core_.get(), request); }

std::int64_t Worker::pid() const {
  if (!core_) return 0;
  const work::CoreStatus status = core_->status();
  return status.pids.empty() ? 0 : status.pids.front();
}

bool Worker::is_idle() const { return core_ && core_->status().workers_idle == 1; }

void Worker::shutdown() {
  if (core_) static_cast<void>(core_->shutdown(fiber::Reactor::kNever));
}

void Worker::kill() {
  if (core_) core_->kill("the worker was killed");
}

}  // namespace weft
