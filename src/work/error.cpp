#include <exception>
#include <string>
#include <utility>
#include <vector>
#include <weft/error.hpp>

#include "work/trace.hpp"

namespace weft {

namespace {

/// Of a task that may or may not have begun when something other than itself ended it.
Verdict verdict_if(bool had_begun, bool worker_survived) {
  return {.may_have_run = had_begun, .retry_is_safe = !had_begun, .worker_survived = worker_survived};
}

constexpr std::size_t kErrorsToldMax = 3;

/// What is to be said of several failures together.
Error summary_of(std::size_t wanted, const std::vector<std::exception_ptr>& errors) {
  std::size_t failed = 0;
  std::string texts;
  Verdict verdict;
  const auto add = [&](const std::string& text, const Verdict& of_one) {
    if (++failed <= kErrorsToldMax) texts += (failed == 1 ? ": " : "; ") + text;
    verdict.may_have_run |= of_one.may_have_run;
    verdict.retry_is_safe &= of_one.retry_is_safe;
    verdict.worker_survived &= of_one.worker_survived;
  };
  for (const std::exception_ptr& each : errors) {
    if (each == nullptr) continue;
    try {
      std::rethrow_exception(each);
    } catch (const Error& error) {
      add(error.what(), error.verdict());
    } catch (const std::exception& error) {
      add(error.what(), verdict_if(true, true));
    } catch (const TaskException& error) {
      add(error.message(), verdict_if(true, true));
    }
  }
  if (failed > kErrorsToldMax) texts += "; and " + std::to_string(failed - kErrorsToldMax) + " more";
  const std::size_t count = errors.size();
  return {"of " + std::to_string(count) + (count == 1 ? " execution " : " executions ") +
              std::to_string(count - failed) + " gave a value, " + std::to_string(wanted) +
              (wanted == 1 ? " was wanted" : " were wanted") + texts,
          verdict};
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

AggregateError::AggregateError(std::size_t wanted, std::vector<std::exception_ptr> errors)
    : Error{summary_of(wanted, errors)}, errors_{std::move(errors)} {}

}  // namespace weft
