// What is known of a task's times, and who is told of it. Only tasks whose times are measured come here.

#include <string>
#include <utility>

#include "base/clock.hpp"
#include "work/observation.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

namespace {

TaskTimes::Time at(std::uint64_t ns) noexcept {
  return TaskTimes::Time{std::chrono::nanoseconds{static_cast<std::int64_t>(ns)}};
}

}  // namespace

TaskTimes Measured::times(const Terms& terms) const noexcept {
  TaskTimes known;
  known.submitted = at(terms.submitted_ns);
  known.worker = worker;
  known.pid = pid;
  if (settled_ns == 0) {
    known.begun = at(handed_ns);
    known.attempts = terms.deaths + (handed_ns == 0 ? 0 : 1);
    return known;
  }
  known.begun = at(begun_ns == 0 ? settled_ns : begun_ns);
  known.ended = at(begun_ns == 0 ? settled_ns : ended_ns);
  known.settled = at(settled_ns);
  known.attempts = terms.deaths + (begun_ns == 0 ? 0 : 1);
  return known;
}

void note_lost(Call& call) noexcept {
  if (!call.timed || call.extra()->terms.submitted_ns == 0) return;
  Measured& measured = call.extra()->measured;
  measured.begun_ns = measured.handed_ns != 0 ? measured.handed_ns : measured.sent_ns;
  measured.ended_ns = base::now_ns();
}

/// The worker that had it has it no more, and it has not settled.
void PoolCore::no_longer_handed(Call& call) noexcept {
  give_up_place(call);
  Measured& measured = call.extra()->measured;
  measured = {.task = measured.task};
}

void PoolCore::observe(Observation::What what, const Call& call) {
  if (!observation_ || !observation_->note(what, call, !is_process(options_.kind))) return;
  after_.emplace_back([told = observation_] { told->tell(); });
  leave_slowly_ = true;
}

void PoolCore::observe(Observation::What what, const Peer& peer, std::string reason) {
  if (!observation_ || !observation_->note(what, peer, std::move(reason))) return;
  after_.emplace_back([told = observation_] { told->tell(); });
  leave_slowly_ = true;
}

std::string why_ended(const Peer& peer, const process::ExitStatus& status) {
  std::string how = peer.thread ? "returned" : process::describe(status);
  if (!peer.violation.empty()) return how + ": " + peer.violation;
  if (!peer.start_error.empty()) return how + ": " + peer.start_error;
  return peer.last_words.empty() ? how : how + ": " + peer.last_words;
}

}  // namespace weft::work
