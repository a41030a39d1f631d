#include "work/observation.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include "base/atomic.hpp"
#include "base/clock.hpp"
#include "wire/failure.hpp"
#include "work/exceptions.hpp"
#include "work/named_tasks.hpp"
#include "work/pool_core.hpp"

namespace weft {

Observer::~Observer() = default;
void Observer::worker_started(const WorkerEvent& /*event*/) {}
void Observer::worker_ready(const WorkerEvent& /*event*/) {}
void Observer::worker_ended(const WorkerEvent& /*event*/) {}
void Observer::task_submitted(const TaskEvent& /*event*/) {}
void Observer::task_begun(const TaskEvent& /*event*/) {}
void Observer::task_settled(const TaskEvent& /*event*/) {}

namespace work {

namespace {

base::Atomic<std::uint64_t> last_pool{0};
base::Atomic<std::uint64_t> last_task{0};

/// What get() would throw, of reports that are of no exception of the task's own. By FailureReport::Kind.
constexpr std::array kTypes{"",
                            "weft::UnknownTask",
                            "weft::EncodingError",
                            "weft::Cancelled",
                            "weft::TimedOut",
                            "weft::Exhausted",
                            "weft::Closed"};

ExceptionInfo summary(const wire::FailureReport& report) {
  if (!report.chain.empty()) return report.chain.front();
  const auto kind = static_cast<std::size_t>(report.kind);
  return {kind < kTypes.size() ? kTypes.at(kind) : "", report.message};
}

/// What the worker said of the failure; it may lie in a block, which the worker can still write.
std::vector<std::byte> report_of(const Call& call) {
  std::span<const std::byte> bytes{call.payload(), call.bytes};
  if ((call.flags & wire::kPayloadInBlock) != 0) bytes = call.extra()->attachments.front().bytes();
  if (bytes.size() > wire::kFailureBytesMax) return {};
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Observation::Observation(std::vector<std::shared_ptr<Observer>> observers, std::string owner)
    : owner_{std::move(owner)},
      // Relaxed: a number that nobody else gets, as next_task()'s.
      pool_{last_pool.fetch_add(1, base::relaxed) + 1},
      observers_{std::move(observers)} {}

// Relaxed: a number that nobody else gets.
std::uint64_t Observation::next_task() noexcept { return last_task.fetch_add(1, base::relaxed) + 1; }

std::int64_t Observation::this_thread() noexcept {
  thread_local const std::int64_t id = ::gettid();
  return id;
}

bool Observation::note(What what, const Peer& peer, std::string reason) {
  Event event{.what = what, .is_thread = peer.thread != nullptr};
  event.worker = peer.id;
  event.pid = peer.child.pid;
  event.at_ns = base::now_ns();
  event.reason = std::move(reason);
  return push(std::move(event));
}

bool Observation::note(What what, const Call& call, bool is_thread) {
  const Measured& measured = call.extra()->measured;
  Event event{.what = what, .is_thread = is_thread, .is_named = (call.flags & wire::kNamed) != 0};
  event.task = measured.task;
  event.function = call.function;
  event.thread = this_thread();
  event.times = measured.times(call.extra()->terms);
  if (what == What::task_settled) {
    event.ending = call.ending;
    if (call.ending == Ending::failure) event.payload = report_of(call);
    if (call.ending == Ending::exception) event.failure = call.extra()->exception;
  }
  return push(std::move(event));
}

bool Observation::push(Event event) {
  const std::lock_guard guard{mutex_};
  const bool is_first = events_.empty() && !telling_;
  events_.push_back(std::move(event));
  return is_first;
}

void Observation::tell() noexcept {
  std::vector<Event> events;
  for (;;) {
    {
      const std::lock_guard guard{mutex_};
      if (events.empty() && telling_) return;  // another thread does
      events.clear();
      events.swap(events_);
      telling_ = !events.empty();
      if (!telling_) return told_.notify_all();
    }
    for (const Event& event : events) tell(event);
  }
}

void Observation::finish() noexcept {
  tell();
  std::vector<std::shared_ptr<Observer>> gone;  // user code: after the lock
  std::unique_lock lock{mutex_};
  told_.wait(lock, [this] { return events_.empty() && !telling_; });
  gone.swap(observers_);
}

void Observation::tell(const Event& event) {
  const auto tell_all = [this](auto function, const auto& told) {
    for (const auto& observer : observers_) run_callback([&] { ((*observer).*function)(told); });
  };
  if (event.what <= What::worker_ended) {
    WorkerEvent told{pool_, owner_, event.worker, event.pid, event.is_thread, {}, event.reason};
    told.at += std::chrono::nanoseconds{event.at_ns};
    const auto function = event.what == What::worker_started ? &Observer::worker_started
                          : event.what == What::worker_ready ? &Observer::worker_ready
                                                             : &Observer::worker_ended;
    return tell_all(function, told);
  }
  const std::string name = task_name(event.function, event.is_named);
  TaskEvent told{event.task, pool_, name, event.thread, event.times, event.is_thread, {}, {}};
  ExceptionInfo failure;
  if (event.ending == Ending::failure) {
    auto report = wire::decode_failure(event.payload);
    failure = report ? summary(*report)
                     : ExceptionInfo{"weft::ProtocolViolation",
                                     "the worker told of a failure in a way that does not hold"};
  } else if (event.ending == Ending::exception) {
    failure = summary(describe(event.failure));
  }
  told.error = failure.type;
  told.message = failure.message;
  const auto function = event.what == What::task_submitted ? &Observer::task_submitted
                        : event.what == What::task_begun   ? &Observer::task_begun
                                                           : &Observer::task_settled;
  tell_all(function, told);
}

}  // namespace work
}  // namespace weft
