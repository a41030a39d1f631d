// The control plane of a pool: how workers start, say that they are ready, and end. Runs on the attendant's thread.

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "process/black_box.hpp"
#include "process/descriptors.hpp"
#include "wire/failure.hpp"
#include "work/exceptions.hpp"
#include "work/faults.hpp"
#include "work/identity.hpp"
#include "work/pool_core.hpp"
#include "work/worker_main.hpp"

namespace weft::work {

/// As many starts as there are queued tasks that no start under way is for, up to the limit.
void PoolCore::want_workers() {
  if (closed_ && queue_.empty()) return;
  if (!peers_.empty() && !can_grow()) return;  // spares the clock
  if (circuit_.is_open(base::now_ns())) {
    if (!peers_.empty()) return;
    while (!queue_.empty())
      settle_with(*queue_.take_any(), std::make_exception_ptr(StartFailed{circuit_.reason()}));
    return;
  }
  std::size_t under_way = count_starting() + starts_posted_;
  std::size_t all = peers_.size() + starts_posted_;
  while ((under_way < queue_.size_of_ready() || all < options_.minimum) && all < options_.limit) {
    start_one_more();
    ++under_way;
    ++all;
  }
}

/// It counts in starts_posted_ until it has been made, or could not.
void PoolCore::start_one_more() {
  ++starts_posted_;
  if (!ask_at_once()) Attendant::get().post([self = shared_from_this()] { self->start_worker(); });
}

void PoolCore::warm_up() {
  if (options_.kind == WorkerKind::caller) return;
  const Section section{*this};
  start_one_more();
}

/// False if what a worker was wanted for has been done meanwhile, or will not be.
bool PoolCore::is_worker_needed() const noexcept {
  if (abandoned_) return false;
  if (!queue_.empty()) return true;
  if (closed_) return false;
  if (count_starting() + count_unstarted() < count_missing()) return true;
  if (!watchers_.empty()) return true;  // somebody may wait for a lease
  const auto has_much = [](const Peer* peer) { return peer->sent.size() > 1; };
  return peers_.size() < options_.minimum || std::any_of(serving_.begin(), serving_.end(), has_much);
}

void PoolCore::start_worker() {
  std::uint64_t restarts = 0;
  {
    const Section section{*this};
    if (!is_worker_needed()) {
      --starts_posted_;
      return wake_watchers();
    }
    restarts = restarts_;
  }
  if (options_.kind == WorkerKind::zygote) return start_from_zygote();
  auto spawned = options_.kind == WorkerKind::thread ? spawn_thread() : spawn_worker();
  // Closed here, so that whoever has their other ends hears of the worker's end.
  options_.passed.clear();
  const Section section{*this};
  --starts_posted_;
  if (!spawned) return start_failed(spawned.fault().message, error_of(spawned.fault()));
  (*spawned)->outdated = restarts != restarts_;
  adopt(*std::move(spawned));
}

/// The process runs: its words and its end are heard from now on.
void PoolCore::adopt(std::unique_ptr<Peer> started) {
  Peer& peer = *peers_.emplace_back(std::move(started));
  auto self = shared_from_this();
  Attendant& attendant = Attendant::get();
  peer.control_watch =
      attendant.watch(peer.exchange.control(), false, [self, id = peer.id] { self->on_control(id); });
  peer.end_watch = attendant.watch(peer.end_fd(), false, [self, id = peer.id] { self->on_end(id); });
  if (options_.start_timeout_ns != 0) {
    // Weak: the pool may be long gone when the time is up.
    peer.timer =
        attendant.at(base::now_ns() + options_.start_timeout_ns, [weak = weak_from_this(), id = peer.id] {
          if (const auto core = weak.lock()) core->on_start_timeout(id);
        });
  }
  observe(Observation::What::worker_started, peer);
  if (abandoned_) retire(peer);
}

/// One start failed: one submission fails with it, the one that has waited longest. Others wait for the next attempt,
/// until five in ten seconds have failed.
void PoolCore::start_failed(const std::string& why, std::exception_ptr exact) {
  bool is_exact = false;
  if (exact) {
    try {
      std::rethrow_exception(exact);
    } catch (const Exhausted&) {
      is_exact = true;
    } catch (const Incompatible&) {
      is_exact = true;
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
  }
  const std::string message = "a worker of the " + options_.what + " could not start: " + why;
  // While others serve, one that was only to replace another costs nobody a task.
  const bool is_replacement = kept_ != 0 && !serving_.empty();
  if (!queue_.empty() && !is_replacement) {
    settle_with(*queue_.take_any(), is_exact ? exact : std::make_exception_ptr(StartFailed{message}));
  }
  // A copy's start has succeeded once it does something, which is seen here: nobody looked before.
  const auto has_started = [](const Peer* peer) { return peer->is_copy && peer->has_started(); };
  if (std::any_of(serving_.begin(), serving_.end(), has_started)) circuit_.succeeded();
  const std::uint64_t now = base::now_ns();
  circuit_.failed(now, options_.what, why);
  circuit_.is_open(now) ? give_up_restart() : replace_outdated();
  wake_watchers();
  if (!queue_.empty()) want_workers();
}

void PoolCore::on_control(std::uint64_t id) {
  const Section section{*this};
  if (Peer* const peer = find_peer(id)) read_control(*peer);
}

void PoolCore::read_control(Peer& from) {
  Peer* const peer = &from;
  auto control = peer->exchange.read_control();
  if (!control) return condemn(*peer, control.fault());
  using State = link::Exchange::Control::State;
  if (control->state == State::nothing) return;
  if (control->state == State::closed) {
    // Its end follows on the pidfd, and tells more. A worker that goes on without its socket is of no use.
    Attendant& attendant = Attendant::get();
    attendant.forget(peer->control_watch, peer->exchange.control());
    attendant.cancel(peer->timer);
    if (peer->thread) return;  // its tasks may take their time
    peer->timer = attendant.at(base::now_ns() + base::kEndNsMax, [weak = weak_from_this(), id = peer->id] {
      const auto core = weak.lock();
      if (!core) return;
      const Section section{*core};
      if (Peer* const still = core->find_peer(id))
        core->condemn(*still, "it closed its control socket and went on");
    });
    return;
  }
  if (const auto* const ready = std::get_if<wire::Ready>(&control->message)) {
    return on_ready(*peer, *ready, !control->descriptors.empty());
  }
  if (const auto* const error = std::get_if<wire::StartError>(&control->message);
      error != nullptr && !peer->has_started()) {
    peer->start_error = describe_start_error(*error);
    if (peer->state != Peer::State::starting) {  // no timer runs any more for one that says so and stays
      stop_serving(*peer);
      peer->kill();
    }
    return;
  }
  if (std::holds_alternative<wire::Asking>(control->message) && peer->state != Peer::State::starting) {
    read_always(*peer);
    static_cast<void>(poll_locked());
    return;
  }
  condemn(*peer, "it sent a message that only a parent may send, or sent it twice");
}

void PoolCore::on_ready(Peer& peer, const wire::Ready& ready, bool has_descriptors) {
  if (peer.state != Peer::State::starting) return condemn(peer, "it said twice that it is ready");
  // Another binary is fine, and then knows named tasks alone; another wire is not.
  if (auto same =
          wire::check_compatible(own_identity(), ready.identity, options_.executable == "/proc/self/exe");
      !same) {
    peer.start_error = same.fault().message;
    peer.start_exception = error_of(same.fault());
    return peer.kill();
  }
  if (has_descriptors)
    return condemn(peer, "it said that it is ready and sent descriptors, which nobody needs");
  auto region = memory::PeerRegion::map(std::move(peer.offered), worker_lane_bytes());
  if (!region) return condemn(peer, region.fault());
  auto view = ring::open_lane(region->data(), region->bytes());
  if (!view) return condemn(peer, view.fault());
  begin_serving(peer, *std::move(region), *view);
}

/// `lane` and `view` are the worker's.
void PoolCore::begin_serving(Peer& peer, memory::PeerRegion lane, const ring::LaneView& view) {
  WEFT_FAILURE_POINT("parent.ready.mapped");
  peer.peer_lane = std::move(lane);
  const ring::LaneView own = peer.peer_view;
  peer.peer_view = view;
  peer.port = link::FramePort{own, peer.peer_view, &peer.peer_view.counters->parked, peer.bell.get(),
                              peer.bell.get()};
  Attendant::get().cancel(peer.timer);
  start_serving(peer);
  observe(Observation::What::worker_ready, peer);
  if (!peer.is_copy) circuit_.succeeded();  // a copy may yet fail
  adapt_spinning();
  if (closed_ && queue_.empty()) return retire(peer);
  if (peer.outdated) kept_ = std::max(kept_, serving_.size());
  replace_outdated();
  refill();
  unstick_all();
  if (!queue_.empty()) want_workers();
  wake_watchers();
}

void PoolCore::on_start_timeout(std::uint64_t id) {
  const Section section{*this};
  Peer* const peer = find_peer(id);
  if (peer == nullptr || peer->state != Peer::State::starting || !peer->start_error.empty()) return;
  peer->start_error = describe_start_timeout();
  if (peer->thread) {  // what takes so long goes on, but nobody waits for it
    peer->killed = true;
    start_failed(peer->start_error);
  }
  peer->kill();
}

void PoolCore::on_end(std::uint64_t id) {
  const Section section{*this};
  Peer* const peer = find_peer(id);
  if (peer == nullptr) return;
  const std::optional<process::ExitStatus> status = peer->reap();
  if (!status) return;  // not yet
  Attendant::get().forget(peer->end_watch, peer->end_fd());
  Attendant::get().forget(peer->control_watch, peer->exchange.control());
  // What it said last may still be in the socket: why it could not start.
  if (!peer->has_started() && peer->start_error.empty()) read_control(*peer);
  Attendant::get().cancel(peer->timer);
  bury(*peer, *status);
  if (zygote_) {
    Attendant::get().post(
        [self = shared_from_this(), zygote = zygote_] { static_cast<void>(self->prepare_next(*zygote)); });
  }
}

void PoolCore::start_serving(Peer& peer) {
  peer.state = Peer::State::serving;
  serving_.push_back(&peer);
  if (options_.tasks_per_worker != 0) peer.tasks_left = options_.tasks_per_worker;
  if (options_.worker_age_ns != 0) peer.old_at_ns = base::now_ns() + options_.worker_age_ns;
  idle_.reserve(serving_.size());
  idle_.insert(idle_.begin(), &peer);  // those that have worked are warmer
  peer.listed_idle = true;
  peer.idle_since_ns = base::now_ns();
  peer.window = peer.window_min = options_.tasks_at_once;
  tend_later();
}

void PoolCore::stop_serving(Peer& peer) noexcept {
  peer.state = Peer::State::ending;
  if (std::erase(serving_, &peer) != 0 && peer.leased) --leased_;
  std::erase(idle_, &peer);
  std::erase(leaving_, &peer);
  peer.listed_idle = false;
}

/// A worker is gone: its answers are read, what it had not begun goes elsewhere, what it had begun fails.
void PoolCore::bury(Peer& peer, const process::ExitStatus& status) {
  const bool was_starting = peer.state == Peer::State::starting;
  stop_serving(peer);
  const auto own =
      std::find_if(peers_.begin(), peers_.end(), [&](const auto& each) { return each.get() == &peer; });
  const std::unique_ptr<Peer> gone = std::move(*own);
  peers_.erase(own);
  adapt_spinning();
  WEFT_FAILURE_POINT("parent.bury");
  if (gone->output) gone->output->end();
  const auto tell_end = [&] {
    if (observation_) observe(Observation::What::worker_ended, *gone, why_ended(*gone, status));
  };
  if (was_starting) {
    tell_end();
    if (gone->killed || abandoned_) {
      replace_outdated();
      if (!queue_.empty() || options_.minimum != 0) want_workers();
      return wake_watchers();
    }
    return start_failed(why_not_started(*gone, status), gone->start_exception);
  }
  // Where nothing is due any more, what a thread has answered since it was told to end finds nobody.
  if (gone->violation.empty() && !gone->sent.empty()) static_cast<void>(drain(*gone));
  // Exact now, and relaxed: a dead process writes no more. Only as true as the worker was honest, so that what a liar
  // had counts as begun, all of it.
  const std::uint64_t begun = gone->port.peer->begun.load(base::relaxed);
  CallList lost;
  while (!gone->sent.empty()) {
    Call& call = *gone->sent.back();
    // From the back, each to the front of the queue: they keep their order.
    const bool may_go_elsewhere = !call.is_pinned() && !gone->killed && gone->violation.empty();
    if (call.position >= begun && may_go_elsewhere && on_returned(*gone, call)) {
      on_came_back(call);
      continue;
    }
    gone->sent.remove(call);
    if (call.position < begun) note_lost(call);
    if (!retry(*gone, call)) lost.push_front(call);
  }
  bury_guest(*gone);
  fail_waiting(*gone, "the worker that the task was meant for has ended: " + process::describe(status));
  const bool has_started = gone->has_started();
  const bool unexpected = has_started && !gone->killed && gone->last_words.empty();
  if (unexpected) ++workers_lost_;
  // What it had not begun goes to the next worker, which may fare the same: there must be an end to it.
  if (unexpected && begun == 0)
    circuit_.failed(base::now_ns(), options_.what,
                    "it ended before it had begun a task: " + process::describe(status));
  while (!lost.empty()) {
    Call& call = *lost.pop_front();
    settle_with(call, end_error(*gone, status, call), went_beyond_limit(*gone, call) ? timed_out_ : failed_);
  }
  if (stopped_) drop_waiting();
  tell_end();
  if (!options_.replace && !closed_) {
    closed_ = true;
    closed_reason_ = "the worker has ended: " + process::describe(status);
    while (!queue_.empty()) settle_with(*queue_.take_any(), std::make_exception_ptr(Closed{closed_reason_}));
  }
  if (!has_started && !gone->killed && gone->last_words.empty())
    start_failed(why_not_started(*gone, status), gone->start_exception);
  replace_outdated();
  refill();
  if (!queue_.empty() || options_.minimum != 0) want_workers();
  if (can_grow()) check_later();  // its place may be wanted for what is stuck behind a long task
  wake_watchers();
}

/// It lied: it is killed, and nothing more is read from it.
void PoolCore::condemn(Peer& peer, const std::string& violation) {
  if (peer.violation.empty()) peer.violation = violation;
  if (peer.state == Peer::State::starting) {
    if (peer.start_error.empty()) peer.start_error = "it broke the protocol: " + violation;
  } else {
    stop_serving(peer);
  }
  peer.kill();
}

/// What it sent does not hold, or could not be taken for want of something here. Either way the two cannot go on.
void PoolCore::condemn(Peer& peer, const base::Fault& fault) {
  // The first fault counts: the attendant and a thread that waits may both meet one.
  if (peer.violation.empty()) peer.is_exhausted = fault.kind == base::Fault::Kind::exhausted;
  if (peer.state == Peer::State::starting && fault.kind != base::Fault::Kind::violation &&
      peer.start_error.empty()) {
    peer.start_error = fault.message;
    peer.start_exception = error_of(fault);
  }
  condemn(peer, fault.message);
}

/// It is asked to go: it finishes what it has and ends.
void PoolCore::retire(Peer& peer) {
  if (peer.state == Peer::State::starting) {
    peer.killed = true;
    peer.last_words = "the worker was not needed any more";
    return peer.kill();
  }
  stop_serving(peer);
  if (!peer.sent.empty()) leaving_.push_back(&peer);
  if (peer.last_words.empty()) peer.last_words = "shutdown";
  WEFT_FAILURE_POINT("parent.retire.before_goodbye");
  if (!peer.exchange.write_control(wire::Goodbye{})) peer.kill();
}

Peer* PoolCore::find_peer(std::uint64_t id) noexcept {
  const auto found =
      std::find_if(peers_.begin(), peers_.end(), [&](const auto& peer) { return peer->id == id; });
  return found == peers_.end() ? nullptr : found->get();
}

}  // namespace weft::work
