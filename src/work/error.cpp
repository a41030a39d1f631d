#include <utility>
#include <weft/error.hpp>

#include "work/trace.hpp"

namespace weft {

namespace {

/// Of a task that may or may not have begun when something other than itself ended it.
Verdict verdict_if(bool had_begun, bool worker_survived) {
  return {.may_have_run = had_begun, .retry_is_safe = !had_begun, .worker_survived = worker_survived};
}

}  // namespace

NotInitialized::NotInitialized()
    : Error{"weft::init(argc, argv) was not called: call it first thing in main(), before a pool is used",
            {}} {}

TaskFailed::TaskFailed(TaskException thrown)
    : Error{"the task threw " + thrown.type() + ": " + thrown.message(), verdict_if(true, true)},
      TaskException{thrown} {}

std::string TaskException::trace() const { return facts_->trace ? facts_->trace->text() : std::string{}; }

WorkerCrashed::WorkerCrashed(const std::string& message, WorkerEnd end, std::shared_ptr<Trace> trace)
    : Error{message, verdict_if(true, false)}, end_{std::move(end)}, trace_{std::move(trace)} {}

std::string WorkerCrashed::trace() const { return trace_ ? trace_->text() : std::string{}; }

WorkerExited::WorkerExited(const std::string& message, WorkerEnd end)
    : Error{message, verdict_if(true, false)}, end_{std::move(end)} {}

WorkerKilled::WorkerKilled(const std::string& message, bool had_begun)
    : Error{message, verdict_if(had_begun, false)} {}

Cancelled::Cancelled(const std::string& reason, bool had_begun)
    : Error{reason.empty() ? "the task was cancelled" : "the task was cancelled: " + reason,
            verdict_if(had_begun, true)} {}

}  // namespace weft
