#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <weft/context.hpp>

#include "process/forked.hpp"
#include "process/limits.hpp"
#include "work/core_options.hpp"
#include "work/faults.hpp"
#include "work/initialized.hpp"
#include "work/output.hpp"
#include "work/pool_core.hpp"

namespace weft::detail {

namespace {

struct PipeEnds {
  base::UniqueFd reading;
  base::UniqueFd writing;
};

PipeEnds make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    work::throw_fault(process::out_of_descriptors("a context needs a pipe", errno));
  return {base::UniqueFd{ends[0]}, base::UniqueFd{ends[1]}};
}

}  // namespace

ContextProcess::ContextProcess(const ContextOptions& options) {
  if ((options.pipe_output || options.pipe_errors) && options.worker.output != Output::inherit) {
    throw ArgumentError{
        "ContextOptions::pipe_output and pipe_errors need WorkerOptions::output to be inherit: what is "
        "printed goes one way"};
  }
  const WorkerKind kind = options.worker.kind;
  if (kind == WorkerKind::zygote || kind == WorkerKind::caller) {
    throw ArgumentError{
        "a context is a process or a thread of its own: ContextOptions::worker.kind has to be "
        "WorkerKind::exec or thread"};
  }
  if (kind == WorkerKind::thread) {
    if (options.pipe_input || options.pipe_output || options.pipe_errors)
      throw ArgumentError{
          "ContextOptions::pipe_* are for a process: a thread has this program's own streams"};
  }
  work::CoreOptions core = work::core_options(options.worker, 1);
  core.replace = false;
  core.tasks_per_worker = 1;  // so the process ends with its task
  core.what = "context";
  if (options.pipe_input) {
    PipeEnds pipe = make_pipe();
    core.passed.push_back({std::move(pipe.reading), STDIN_FILENO});
    input = WriteStream{pipe.writing.release()};
  }
  const auto piped = [&](int number) {
    PipeEnds pipe = make_pipe();
    core.passed.push_back({std::move(pipe.writing), number});
    return ReadStream{pipe.reading.release()};
  };
  if (options.pipe_output) output = piped(STDOUT_FILENO);
  if (options.pipe_errors) errors = piped(STDERR_FILENO);
  is_thread_ = kind == WorkerKind::thread;
  core_ = work::PoolCore::make(std::move(core));
  core_->warm_up();
}

ContextProcess& ContextProcess::operator=(ContextProcess&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(is_thread_, other.is_thread_);
  input = std::move(other.input);
  output = std::move(other.output);
  errors = std::move(other.errors);
  return *this;
}

ContextProcess::~ContextProcess() {
  if (!core_) return;
  if (!process::in_forked_child()) static_cast<void>(core_->kill("the context was destroyed"));
  work::let_go(core_);
}

work::PoolCore& ContextProcess::core() const {
  if (!core_) throw Closed{"this context was moved from"};
  work::require_unforked();
  return *core_;
}

bool ContextProcess::is_running() const { return core_ && core().first_pid() != 0; }

std::int64_t ContextProcess::pid() const {
  if (is_thread_) throw ArgumentError{"a context that is a thread has no process of its own, and so no pid"};
  return core_ ? core().first_pid() : 0;
}

bool ContextProcess::signal(int number) const {
  if (is_thread_) {
    throw ArgumentError{
        "a context that is a thread takes no signals: execution().cancel() asks its task to stop"};
  }
  return core().signal(number);
}
void ContextProcess::kill(const std::string& reason) const { static_cast<void>(core().kill(reason)); }

bool ContextProcess::end(std::uint64_t deadline_ns) const {
  const bool done = core().shutdown(deadline_ns);
  work::WorkerOutput::flush();
  return done;
}

}  // namespace weft::detail
