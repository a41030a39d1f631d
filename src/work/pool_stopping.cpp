// What is not to be done any more: one task, that somebody cancels or whose stop token says so; or all that waits.

#include <stop_token>
#include <string>
#include <utility>
#include <weft/error.hpp>

#include "process/forked.hpp"
#include "process/futex.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

namespace {

constexpr const char* kStopRequested = "a stop was requested (TaskOptions::stop)";

}  // namespace

bool PoolCore::cancel(Call& call, const std::string& reason) {
  const Section section{*this};
  if (call.phase == Phase::sent) static_cast<void>(drain(*call.peer));
  return call.phase != Phase::settled && take_back_or_stop(call, reason);
}

/// Of a call that is not settled. True if it is now.
bool PoolCore::take_back_or_stop(Call& call, const std::string& reason) {
  if (!call.stop_asked) call.more().reason = reason;  // else it stops for what was said first
  if (!take_back(call)) {
    if (call.phase == Phase::sent || call.phase == Phase::running) ask_to_stop(call);
    return false;
  }
  unqueue(call);
  settle_cancelled(call);
  refill();
  return true;
}

/// Of a call that has not begun, or was not even sent.
void PoolCore::settle_cancelled(Call& call) {
  std::string reason = call.more().reason;
  if (reason.empty()) reason = call.extra()->heeded.stop_requested() ? kStopRequested : "before it began";
  settle_with(call, std::make_exception_ptr(Cancelled{reason}));
}

/// It has begun, or is about to: the worker is told, for a task that looks.
void PoolCore::ask_to_stop(Call& call) {
  if (call.stop_asked) return;
  call.stop_asked = true;
  if (call.phase == Phase::running) {
    // After the lock: the token's callbacks are the task's own.
    after_.emplace_back([stop = call.extra()->stop]() mutable { stop.request_stop(); });
    leave_slowly_ = true;
    return;
  }
  Peer& peer = *call.peer;
  peer.stops.push_back(call.id);
  flush_stops(peer);
}

void PoolCore::flush_stops(Peer& peer) {
  std::erase_if(peer.stops, [&](std::uint64_t id) {
    const bool gone =
        calls_.find(static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32)) == nullptr;
    return gone || peer.stop_log->write(id, peer.port.peer->stops_seen);
  });
  process::futex_wake_all(peer.stop_log->head);
}

// Stop tokens.

/// Runs on the thread that requests the stop, and takes the pool's lock; so it is neither registered nor forgotten under that.
struct PoolCore::StopRequested {
  std::weak_ptr<PoolCore> core;
  std::uint32_t slot;
  std::uint64_t serial;
  void operator()() const {
    if (process::in_forked_child()) return;  // the task is the parent's
    if (const auto still = core.lock()) still->on_stop_requested(slot, serial);
  }
};

/// From now on until it is settled, a stop that is requested is the call's too. Outside the lock, on the thread that submits
/// it: so the call stays.
void PoolCore::heed(Call& call, const std::stop_token& stop) {
  if (!stop.stop_possible()) return;
  using Callback = std::stop_callback<StopRequested>;
  const std::uint32_t slot = call.slot();
  std::uint64_t serial = 0;
  {
    const Section section{*this};
    if (!call.timed) return;  // it is settled
    serial = call.extra()->terms.serial;
  }
  // Where the stop was requested meanwhile, this calls it.
  std::shared_ptr<void> callback =
      std::make_shared<Callback>(stop, StopRequested{weak_from_this(), slot, serial});
  const Section section{*this};
  if (call.timed) call.extra()->stop_callback.swap(callback);
}

/// The callback may be running just now and wait for the lock: it is waited for after that.
void PoolCore::forget_stop(Call& call) noexcept {
  after_.emplace_back([gone = std::move(call.extra()->stop_callback)] {});
  leave_slowly_ = true;
}

void PoolCore::on_stop_requested(std::uint32_t slot, std::uint64_t serial) {
  const Section section{*this};
  Call* const call = calls_.in(slot);
  const auto is_it = [&] { return call->timed && call->extra()->terms.serial == serial; };
  if (call == nullptr || !is_it()) return;
  if (call->phase == Phase::sent) static_cast<void>(drain(*call->peer));
  if (is_it()) static_cast<void>(take_back_or_stop(*call, kStopRequested));
}

// The pool.

void PoolCore::stop() {
  const Section section{*this};
  if (!closed_) {
    closed_ = true;
    closed_reason_ = "the " + options_.what + " was stopped";
  }
  stopped_ = true;
  drop_waiting();  // before the look at the rings, which hands out what waits
  static_cast<void>(poll_locked());
  for (const auto& peer : peers_) {
    if (peer->state != Peer::State::starting) take_back_what_can_be(*peer);
  }
  drop_waiting();
  end_zygote();
  for (std::size_t i = peers_.size(); i-- > 0;) {
    if (peers_[i]->state != Peer::State::ending) retire(*peers_[i]);
  }
  wake_watchers();
}

/// The worker may have begun any of its tasks, where it runs several at once.
void PoolCore::take_back_what_can_be(Peer& peer) {
  for (Call* call = peer.sent.back(); call != nullptr;) {
    Call* const before = call->previous;
    static_cast<void>(withdraw(peer, *call));
    call = before;
  }
}

/// Once the pool is stopped: what has not begun fails.
void PoolCore::drop_waiting() {
  while (!queue_.empty()) settle_with(*queue_.take_any(), std::make_exception_ptr(Closed{closed_reason_}));
  for (const auto& peer : peers_) fail_waiting(*peer, closed_reason_);
}

}  // namespace weft::work
