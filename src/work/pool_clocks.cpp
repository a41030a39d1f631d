// The time limits of tasks, and their retries. Only tasks that have any pay for them: with timers of the attendant.

#include <signal.h>

#include <algorithm>
#include <span>
#include <string>
#include <thread>
#include <vector>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "wire/failure.hpp"
#include "work/obituary.hpp"
#include "work/pool_core.hpp"
#include "work/talk.hpp"

namespace weft::work {

namespace {

std::uint64_t positive(std::chrono::nanoseconds time, const char* name) {
  if (time < std::chrono::nanoseconds::zero())
    throw ArgumentError{std::string{"TaskOptions::"} + name + " is negative: give 0 for no limit"};
  return static_cast<std::uint64_t>(time.count());
}

constexpr const char* kDeadlinePassed = "its deadline has passed";

std::string in_ms(std::uint64_t ns) { return std::to_string((ns + 999'999) / 1'000'000) + " ms"; }

/// As what a settled call's task failed, by name; empty where that cannot be told.
std::string failure_type(const Call& call) {
  std::span<const std::byte> bytes{call.payload(), call.bytes};
  if ((call.flags & wire::kPayloadInBlock) != 0) bytes = call.extra()->attachments.front().bytes();
  if (bytes.size() > wire::kFailureBytesMax) return {};
  // A private copy: a block can still be written by the worker.
  auto report = wire::decode_failure(std::vector<std::byte>{bytes.begin(), bytes.end()});
  return report && !report->chain.empty() ? report->chain.front().type : std::string{};
}

}  // namespace

std::uint64_t sooner(std::uint64_t one, std::uint64_t other) noexcept {
  return one == 0 ? other : other == 0 ? one : std::min(one, other);
}

Terms terms_of(const TaskOptions& options) {
  Terms terms;
  if (options.priority > Priority::low)
    throw ArgumentError{"TaskOptions::priority is none of high, normal and low"};
  if (options.deadline)
    terms.deadline_ns = std::max<std::uint64_t>(detail::deadline_at(*options.deadline), 1);
  terms.start_within_ns = positive(options.start_within, "start_within");
  terms.stop_after_ns = positive(options.stop_after, "stop_after");
  terms.run_limit_ns = positive(options.run_limit, "run_limit");
  terms.retries = options.retries;
  terms.is_measured = options.measure_times;
  return terms;
}

/// Under the lock, of a call that was just taken.
void PoolCore::set_terms(Call& call, const Terms& terms, const detail::Payload& payload) {
  Terms& own = call.more().terms = terms;
  own.serial = ++last_serial_;
  call.timed = true;
  if (options_.order == Order::fair && own.share == nullptr && own.worker == 0)
    own.share = &queue_.share_of(std::this_thread::get_id());
  if (own.retries != 0) {
    call.store(payload.bytes.data(), static_cast<std::uint32_t>(payload.bytes.size()));
    call.extra()->attachments.assign(payload.attachments.begin(), payload.attachments.end());
  }
  if (options_.measure_times || own.is_measured || observation_) {
    own.submitted_ns = base::now_ns();
    call.flags |= wire::kMeasured;
    call.extra()->measured = {};
    if (observation_) call.extra()->measured.task = Observation::next_task();
    observe(Observation::What::task_submitted, call);
  }
  if (own.start_within_ns != 0) own.start_by_ns = base::now_ns() + own.start_within_ns;
  set_timer(call, sooner(own.deadline_ns, own.start_by_ns));
}

void PoolCore::set_timer(Call& call, std::uint64_t at_ns) {
  Terms& terms = call.extra()->terms;
  Attendant::get().cancel(terms.timer);
  if (at_ns == 0) return;
  terms.timer =
      Attendant::get().at(at_ns, [weak = weak_from_this(), slot = call.slot(), serial = terms.serial] {
        if (const auto core = weak.lock()) core->on_time(slot, serial);
      });
}

/// The call is settled: nothing of it is due any more.
void PoolCore::drop_terms(Call& call) noexcept {
  if (call.extra()->terms.submitted_ns != 0) {
    call.extra()->measured.settled_ns = base::now_ns();
    observe(Observation::What::task_settled, call);
  }
  give_up_place(call);
  call.timed = false;
  Attendant::get().cancel(call.extra()->terms.timer);
  call.extra()->heeded = {};
  if (call.extra()->stop_callback) forget_stop(call);
}

/// Its answer has come, and says when it began and how long it ran. What took the rest of the time was waiting.
void PoolCore::note_times(Call& call, std::uint64_t begun_ns, std::uint64_t ran_ns) {
  const std::uint64_t submitted = call.extra()->terms.submitted_ns;
  if (submitted == 0) return;
  const std::uint64_t now = base::now_ns();
  const std::uint64_t ran = std::min(ran_ns, now - submitted);
  Measured& measured = call.extra()->measured;
  // Another process says so; one that had no time for it says 0.
  measured.begun_ns = std::clamp(begun_ns != 0 ? begun_ns : measured.handed_ns, submitted, now - ran);
  measured.ended_ns = measured.begun_ns + ran;
  if (!options_.measure_times) return;
  run_times_.record(std::chrono::nanoseconds{ran});
  wait_times_.record(std::chrono::nanoseconds{now - submitted - ran});
}

/// A worker has it.
void PoolCore::sent_on_terms(Peer& peer, Call& call) {
  take_place(call);
  if (call.extra()->terms.submitted_ns != 0) {
    Measured& measured = call.extra()->measured;
    measured.sent_ns = base::now_ns();
    measured.worker = peer.id;
    measured.pid = peer.child.pid;
  }
  if (options_.worker_memory_bytes != 0) tend_later();
  if (peer.sent.front() == &call) start_clock(peer);
}

/// A task on terms is the first of those that its worker has: it runs, or is about to.
void PoolCore::start_clock(Peer& peer) {
  Call& call = *peer.sent.front();
  Terms& terms = call.extra()->terms;
  if (terms.submitted_ns != 0 && call.extra()->measured.handed_ns == 0) {
    call.extra()->measured.handed_ns = base::now_ns();
    observe(Observation::What::task_begun, call);
  }
  if (terms.began_ns != 0 || (terms.stop_after_ns == 0 && terms.run_limit_ns == 0)) return;
  terms.began_ns = base::now_ns();
  next_timer(call);
}

void PoolCore::next_timer(Call& call) {
  const Terms& terms = call.extra()->terms;
  const bool may_stop = !terms.late && !call.stop_asked;
  std::uint64_t next = may_stop ? terms.deadline_ns : 0;
  if (terms.began_ns == 0) return set_timer(call, sooner(next, terms.start_by_ns));
  if (terms.stop_after_ns != 0 && may_stop) next = sooner(next, terms.began_ns + terms.stop_after_ns);
  if (terms.run_limit_ns != 0) next = sooner(next, terms.began_ns + terms.run_limit_ns);
  set_timer(call, next);
}

void PoolCore::on_time(std::uint32_t slot, std::uint64_t serial) {
  const Section section{*this};
  Call* const call = calls_.in(slot);
  if (call == nullptr || !call->timed || call->extra()->terms.serial != serial) return;
  if (call->phase == Phase::sent) static_cast<void>(drain(*call->peer));
  if (!call->timed || call->extra()->terms.serial != serial) return;  // the answer has just come
  Terms& terms = call->extra()->terms;
  const std::uint64_t now = base::now_ns();
  const bool deadline_passed = terms.deadline_ns != 0 && terms.deadline_ns <= now && !terms.late;
  const bool start_passed = terms.start_by_ns != 0 && terms.start_by_ns <= now;
  if (deadline_passed || start_passed) {
    if (take_back(*call)) {
      settle_late(*call, deadline_passed ? TimeLimit::deadline : TimeLimit::queue);
      return refill();
    }
    terms.start_by_ns = 0;
    terms.start_missed = start_passed;
    // A cancel that came first is what it ends with.
    if (deadline_passed && !call->stop_asked) stop_late(*call, TimeLimit::deadline, kDeadlinePassed);
  }
  if (terms.began_ns != 0 && terms.run_limit_ns != 0 && terms.began_ns + terms.run_limit_ns <= now) {
    return end_by_limit(*call);
  }
  if (terms.began_ns != 0 && terms.stop_after_ns != 0 && !terms.late && !call->stop_asked &&
      terms.began_ns + terms.stop_after_ns <= now) {
    stop_late(*call, TimeLimit::run,
              "it ran for " + in_ms(terms.stop_after_ns) + " (TaskOptions::stop_after)");
  }
  next_timer(*call);
}

/// True if the call waits in the queue now, and no worker will run it.
bool PoolCore::take_back(Call& call) {
  if (call.phase == Phase::queued) return true;
  if (call.phase == Phase::running) return false;
  return withdraw(*call.peer, call);
}

/// It waits in the queue, and has missed `limit`.
void PoolCore::settle_late(Call& call, TimeLimit limit) {
  unqueue(call);
  const Terms& terms = call.extra()->terms;
  const std::string when =
      limit == TimeLimit::deadline ? "by its deadline"
      : limit == TimeLimit::queue
          ? in_ms(terms.start_within_ns) + " after it was submitted (TaskOptions::start_within)"
          : "when its worker had had it for " + in_ms(terms.stop_after_ns) + " (TaskOptions::stop_after)";
  settle_with(call, std::make_exception_ptr(TimedOut{"the task had not begun " + when, Verdict{}, limit}),
              timed_out_);
}

/// It was with a worker when it was to be stopped, and it was too late to tell whether it had begun. It had not, and waits in
/// the queue again.
void PoolCore::on_came_back(Call& call) {
  if (call.timed && call.extra()->terms.late) return settle_late(call, *call.extra()->terms.late);
  if (call.stop_asked) {
    unqueue(call);
    return settle_cancelled(call);
  }
  if (call.timed && call.extra()->terms.start_missed) settle_late(call, TimeLimit::queue);
}

void PoolCore::stop_late(Call& call, TimeLimit limit, const std::string& reason) {
  call.extra()->terms.late = limit;
  call.extra()->reason = reason;
  ask_to_stop(call);
}

/// Its failure has come: true if that is the end of a task that was asked to stop because of a limit.
bool PoolCore::stopped_late(Call& call) {
  if (!call.timed) return false;
  Terms& terms = call.extra()->terms;
  // The worker keeps the deadline itself, so that this may come before this side's own notice of it.
  if (!terms.late && !call.stop_asked && terms.deadline_ns != 0 && terms.deadline_ns <= base::now_ns()) {
    terms.late = TimeLimit::deadline;
    call.extra()->reason = kDeadlinePassed;
  }
  if (!terms.late) return false;
  const std::string type = failure_type(call);
  return type == "weft::Cancelled" || type == "weft::TimedOut";
}

/// It was its run_limit that ended the worker.
bool PoolCore::went_beyond_limit(const Peer& peer, const Call& call) noexcept {
  return peer.late_serial != 0 && call.timed && call.extra()->terms.serial == peer.late_serial;
}

/// A task that goes on beyond its limit ends with its worker.
void PoolCore::end_by_limit(Call& call) {
  Peer& peer = *call.peer;
  peer.late_serial = call.extra()->terms.serial;
  peer.last_words = "worker " + std::to_string(peer.id) + " (pid " + std::to_string(peer.child.pid) +
                    ") was killed, since " + describe_call(call) + " ran for more than " +
                    in_ms(call.extra()->terms.run_limit_ns) + " (TaskOptions::run_limit)";
  stop_serving(peer);
  process::kill(peer.child, SIGKILL);
  if (!queue_.empty()) want_workers();
}

/// Its worker died under it: true if it may run again, and is in the queue for that.
bool PoolCore::retry(const Peer& gone, Call& call) {
  if (!call.timed || call.extra()->terms.retries == 0 || call.stop_asked) return false;
  if (has_talked(call)) return false;  // its submitter has heard of the first attempt
  if (stopped_ || gone.killed || !gone.violation.empty() || went_beyond_limit(gone, call)) return false;
  Terms& terms = call.extra()->terms;
  --terms.retries;
  ++terms.deaths;
  no_longer_handed(call);
  terms.began_ns = 0;
  if (terms.start_within_ns != 0) terms.start_by_ns = base::now_ns() + terms.start_within_ns;
  terms.start_missed = false;
  call.peer = nullptr;
  call.phase = Phase::queued;
  call.next_generation();
  queue_.push_front(call);
  next_timer(call);
  return true;
}

}  // namespace weft::work
