// How a pool begins and ends.

#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "process/cpus.hpp"
#include "process/limits.hpp"
#include "work/faults.hpp"
#include "work/obituary.hpp"
#include "work/pool_core.hpp"
#include "work/worker_main.hpp"

namespace weft::work {

namespace {

base::Atomic<std::uint64_t> last_bell_id{1};  // a worker's own bell is 1

unsigned cores() {
  static const unsigned count = process::cpus_allowed();
  return count;
}

base::UniqueFd make_bell() {
  base::UniqueFd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!bell) throw_fault(process::out_of_descriptors("a pool needs an eventfd", errno));
  return bell;
}

}  // namespace

fiber::Reactor& own_reactor() {
  fiber::Reactor* const reactor = fiber::Reactor::try_current();
  if (reactor == nullptr) throw_fault(process::out_of_descriptors("a thread cannot wait for tasks", errno));
  return *reactor;
}

PoolCore::PoolCore(Token, CoreOptions options)
    : options_{std::move(options)},
      cores_{cores()},
      observation_{options_.observers.empty()
                       ? nullptr
                       : std::make_shared<Observation>(std::move(options_.observers), options_.what)} {
  options_.all_on_terms = options_.measure_times || options_.worker_memory_bytes != 0 ||
                          options_.order != Order::submitted || observation_ != nullptr;
  options_.looks_first = options_.queue_limit != 0 || options_.all_on_terms;
  // Relaxed: a number that nobody else gets.
  bell_id_ = last_bell_id.fetch_add(1, base::relaxed) + 1;
  attendant_bell_ = make_bell();
  waiter_bell_ = make_bell();
  auto region = memory::OwnedRegion::create(kBoard, sizeof(link::Board));
  if (!region) throw_fault(region.fault());
  board_region_ = *std::move(region);
  board_ = reinterpret_cast<link::Board*>(board_region_.data());
  sleeper_ = doorbell::Sleeper{&board_->word};
  sleeper_.disarm(doorbell::Mode::lazy, link::kAttendantBell);
  adapt_spinning();
}

std::shared_ptr<PoolCore> PoolCore::make(CoreOptions options) {
  if (options.output != Output::inherit) WorkerOutput::prepare();
  auto core = std::make_shared<PoolCore>(Token{}, std::move(options));
  // Weak: the attendant must not keep a pool alive that nobody uses any more.
  core->bell_watch_ = Attendant::get().watch(core->attendant_bell_.get(), true, [weak = std::weak_ptr{core}] {
    if (const auto self = weak.lock()) self->on_bell();
  });
  return core;
}

PoolCore::~PoolCore() {
  if (bell_watch_ == 0) return;
  Attendant& attendant = Attendant::get();
  attendant.cancel(tend_timer_);
  attendant.cancel(check_timer_);
  attendant.forget(bell_watch_, attendant_bell_.get());
}

void PoolCore::wake_watchers() noexcept {
  for (const fiber::Waker& watcher : watchers_) watcher.wake();
  watchers_.clear();
}

void PoolCore::leave_slowly() noexcept {
  const std::vector<std::function<void()>> after = std::move(after_);
  after_.clear();
  leave_slowly_ = abandoned_;
  // Where the pool is gone, another thread may let go of the last call and destroy this.
  abandoned_ ? lock_.unlock_before_destruction() : lock_.unlock();
  for (const auto& each : after) each();
}

bool PoolCore::shutdown(std::uint64_t deadline_ns) {
  require_may_wait();
  const bool done = wait_until(
      [this] {
        if (!closed_) {
          closed_ = true;
          closed_reason_ = "the " + options_.what + " was shut down";
        }
        if (queue_.empty()) end_zygote();
        if (is_busy() || starts_posted_ != 0) return false;
        for (std::size_t i = peers_.size(); i-- > 0;) {
          if (peers_[i]->state != Peer::State::ending) retire(*peers_[i]);
        }
        return peers_.empty() && zygotes_ == 0;
      },
      deadline_ns);
  if (done && observation_) observation_->finish();
  return done;
}

std::size_t PoolCore::kill(const std::string& reason) {
  const Section section{*this};
  if (!closed_) {
    closed_ = true;
    closed_reason_ = reason;
  }
  static_cast<void>(poll_locked());
  std::size_t lost = queue_.size();
  while (!queue_.empty()) settle_with(*queue_.take_any(), std::make_exception_ptr(Closed{reason}));
  end_zygote();
  for (const auto& peer : peers_) {
    lost += peer->waiting.size();
    fail_waiting(*peer, reason);
    peer->killed = true;
    peer->last_words = reason;
    const bool is_starting = peer->state == Peer::State::starting;
    // Before it is killed, since it goes on for a moment: what it cannot begin any more has not run.
    const std::uint64_t first_unrun = is_starting || peer->thread ? 0 : withdraw_all(*peer);
    peer->kill();
    if (is_starting) continue;
    lost += peer->sent.size();
    while (!peer->sent.empty()) {
      Call& call = *peer->sent.pop_front();
      const bool may_have_run = peer->thread ? leave_running(*peer, call) : call.position < first_unrun;
      if (may_have_run) note_lost(call);
      settle_with(call, std::make_exception_ptr(WorkerKilled{reason, may_have_run}));
    }
    peer->state = Peer::State::ending;
  }
  serving_.clear();
  leased_ = 0;
  idle_.clear();
  leaving_.clear();
  return lost;
}

std::int64_t PoolCore::first_pid() {
  const Section section{*this};
  static_cast<void>(poll_locked());
  const auto started = std::find_if(peers_.begin(), peers_.end(),
                                    [](const auto& peer) { return peer->state != Peer::State::starting; });
  return started == peers_.end() ? 0 : (*started)->child.pid;
}

bool PoolCore::signal(int number) {
  const Section section{*this};
  for (const auto& peer : peers_) process::kill(peer->child, number);
  return !peers_.empty();
}

void PoolCore::abandon() {
  std::vector<std::shared_ptr<WorkerThread>> ending;
  if (options_.kind == WorkerKind::thread) {
    const Section section{*this};
    static_cast<void>(poll_locked());
    ending = idle_threads();
  }
  const std::size_t lost = kill("the " + options_.what + " was destroyed");
  if (lost != 0) {
    std::fprintf(stderr, "weft: a %s was destroyed with %zu unfinished %s; shutdown() lets them finish\n",
                 options_.what.c_str(), lost, lost == 1 ? "task" : "tasks");
  }
  // Blocks the thread, and not the fiber alone: this is a destructor, and an exception may be on its way.
  const std::uint64_t deadline_ns = base::now_ns() + base::kThreadEndNs;
  for (const auto& thread : ending) thread->join_until(deadline_ns);
  const Section section{*this};
  abandoned_ = true;
  leave_slowly_ = true;
  if (calls_.in_use() != 0) keep_ = shared_from_this();
}

// What a worker's end is told as.

std::string PoolCore::why_not_started(const Peer& peer, const process::ExitStatus& status) const {
  std::string why = peer.start_error;
  if (why.empty()) {
    why = "it ended before it was ready: " + process::describe(status);
    // Whoever gets to weft::init takes the lane that it was offered.
    if (!peer.is_copy && !memory::OwnedRegion::is_taken(peer.offered.get())) {
      why += "; does main() call weft::init first?";
    } else if (options_.initializer != 0 && options_.kind != WorkerKind::zygote) {
      why += ", most likely in its initializer";
    }
  }
  if (peer.start_error.empty() && options_.allowance.memory_bytes != 0) {
    why += "; its memory was limited to " + process::describe_bytes(options_.allowance.memory_bytes) +
           " (WorkerLimits::memory_bytes)";
  }
  const std::string printed = peer.output ? last_line(peer.output->last()) : std::string{};
  return printed.empty() ? why : why + "; it printed last: " + printed;
}

std::exception_ptr PoolCore::end_error(const Peer& peer, const process::ExitStatus& status,
                                       const Call& call) const {
  // Relaxed: of a worker that has ended, and the kernel's word of that comes after everything.
  const bool begun = call.position < peer.port.peer->begun.load(base::relaxed);
  if (peer.is_exhausted) {
    return std::make_exception_ptr(
        Exhausted{"what worker " + std::to_string(peer.id) + " (pid " + std::to_string(peer.child.pid) +
                      ") sent could not be taken, and it was ended: " + peer.violation,
                  Verdict{true, false, false}});
  }
  if (!peer.violation.empty()) {
    return std::make_exception_ptr(
        ProtocolViolation{"worker " + std::to_string(peer.id) + " (pid " + std::to_string(peer.child.pid) +
                          ") broke the protocol and was killed: " + peer.violation});
  }
  if (went_beyond_limit(peer, call))
    return std::make_exception_ptr(TimedOut{peer.last_words, Verdict{true, false, false}, TimeLimit::run});
  if (peer.killed || peer.late_serial != 0)
    return std::make_exception_ptr(WorkerKilled{peer.last_words, begun});
  if (const std::string limit = process::limit_hit(options_.allowance, status); !limit.empty()) {
    return std::make_exception_ptr(
        WorkerKilled{"worker " + std::to_string(peer.id) + " (pid " + std::to_string(peer.child.pid) +
                         ") was killed while it ran " + describe_call(call) + ": " + limit,
                     begun});
  }
  return obituary({peer.id,
                   peer.child.pid,
                   status,
                   {peer.peer_view.black_box, static_cast<std::size_t>(peer.peer_view.black_box_bytes)},
                   describe_call(call),
                   !peer.output    ? std::string{}
                   : peer.captures ? peer.output->of_call(call.id)
                                   : peer.output->last(),
                   options_.allowance});
}

CoreStatus PoolCore::status() {
  const Section section{*this};
  static_cast<void>(poll_locked());
  CoreStatus status;
  status.queued = queue_.size();
  status.finished = finished_;
  status.failed = failed_;
  status.timed_out = timed_out_;
  status.workers_lost = workers_lost_;
  status.workers_recycled = workers_recycled_;
  status.last_recycled = last_recycled_;
  status.wait_times = wait_times_;
  status.run_times = run_times_;
  status.workers_starting = starts_posted_;
  status.sent = running_here_;
  for (const auto& peer : peers_) {
    status.workers_outdated += peer->outdated && peer->state != Peer::State::ending ? 1 : 0;
    if (peer->state == Peer::State::starting) {
      ++status.workers_starting;
      continue;
    }
    status.sent += peer->sent.size();
    if (peer->state != Peer::State::serving) continue;
    ++(peer->sent.empty() ? status.workers_idle : status.workers_busy);
    status.pids.push_back(peer->child.pid);
  }
  return status;
}

}  // namespace weft::work
