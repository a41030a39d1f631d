// How a pool is waited for, and how handles end.

#include <sched.h>

#include <algorithm>
#include <utility>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "work/faults.hpp"
#include "work/hearing.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

// Waiting.

bool PoolCore::ready(Call& call) {
  if (call.settled()) return true;
  static_cast<void>(poll());
  return call.settled();
}

/// What drain(), settle() and take_short() do, for the one case that a task alone meets each time: a short value has come for
/// it. In any other nothing is done: false. Of a call that is_alone(), asked under this very hold of the lock.
bool PoolCore::take_at_once(Call& call, detail::ShortValue& value) noexcept {
  Peer& peer = *call.peer;
  ring::Consumer& in = peer.port.in;
  if (in.peek() != ring::Peek::frame || in.bytes() < sizeof(wire::FrameHeader) ||
      in.bytes() > sizeof(wire::FrameHeader) + sizeof value.data) {
    return false;
  }
  const wire::FrameHeader header = wire::get(in.data());
  const bool is_plain = header.kind == wire::Kind::value && header.flags == 0 && header.attachments == 0;
  if (!is_plain || wire::call_id(header) != call.id) return false;
  value.encoding = static_cast<Encoding>(header.encoding);
  value.bytes = in.bytes() - static_cast<std::uint32_t>(sizeof header);
  copy_payload(value.data, in.data() + sizeof header, value.bytes);
  value.taken = true;
  in.release_and_publish();
  peer.look_due = false;
  peer.sent.clear();
  if (!peer.listed_idle) [[unlikely]]
    now_idle(peer);
  ++finished_;
  calls_.give_back(call);
  return true;
}

/// Its worker has nothing but this call, and nothing else follows from its end.
bool PoolCore::is_alone(const Call& call) const noexcept {
  if (call.peer == nullptr) return false;
  const Peer& peer = *call.peer;
  if (peer.sent.front() != &call || peer.sent.back() != &call || peer.state != Peer::State::serving)
    return false;
  if (!call.is_plain()) return false;
  if (peer.captures || !peer.stops.empty() || !peer.waiting.empty()) return false;
  if (peer.exchange.returns_waiting() >= base::kReturnsBatch) return false;
  return queue_.empty() && watchers_.empty() && !keep_;
}

bool PoolCore::spin(Call& call, fiber::Reactor& reactor, std::uint64_t deadline_ns, detail::ShortValue* value,
                    std::uint64_t budget) {
  if (budget == 0) return ready(call);
  const auto was_worth_it = [&] {
    if (budget == reactor.spin_ticks()) reactor.spun(true);
  };
  const std::uint64_t alone = base::ticks_per_us() * base::kSpinAloneUs;
  std::uint64_t begin = 0;
  for (;;) {
    {
      const Section section{*this};
      for (int look = 0; look < 64 && !lock_.contended(); ++look) {
        // Before the look, rather than when the answer is there.
        const bool is_simple = value != nullptr && is_alone(call);
        // A look that comes before the answer takes its line away from the worker, who then has to get it back.
        begin == 0 && look == 0 ? first_look_.wait() : base::spin_pause();
        if (is_simple && take_at_once(call, *value)) {
          begin == 0 ? first_look_.found_by(look) : was_worth_it();
          return true;
        }
        if (call.peer != nullptr && drain(*call.peer) && !queue_.empty()) refill();
        if (call.phase == Phase::settled) {
          if (begin == 0) first_look_.found_by(look);
          break;
        }
        if (look == 0 && has_better_use_of_core(call)) break;
      }
      if (call.phase != Phase::settled) static_cast<void>(poll_locked());
      if (has_better_use_of_core(call)) [[unlikely]] {
        reactor.set_spin_limit(0);
        return false;
      }
      // A worker has to start first: the thread that starts it wants this lock and this core.
      if (call.phase == Phase::queued && serving_.empty()) return false;
      if (call.phase == Phase::settled) {
        if (begin != 0) was_worth_it();
        if (value != nullptr) take_short(call, *value);
        return true;
      }
    }
    const std::uint64_t now = base::ticks();
    if (begin == 0) begin = now;
    if (now - begin > budget || reactor.others_ready()) return false;
    if (deadline_ns != fiber::Reactor::kNever && base::now_ns() >= deadline_ns) return false;
    if (now - begin > alone) ::sched_yield();
  }
}

void PoolCore::attach_to(fiber::Reactor& reactor) {
  bool is_well_supplied = false;
  {
    const Section section{*this};
    is_well_supplied = is_crowded() && !queue_.empty();
  }
  // Relaxed: advice, any value does no harm.
  reactor.set_spin_limit(is_well_supplied ? 0 : board_->spin_ns_max.load(base::relaxed));
  reactor.attach(*this, waiter_bell_.get(), bell_id_);
}

bool PoolCore::wait(Call& call, std::uint64_t deadline_ns) { return wait(call, deadline_ns, nullptr); }

bool PoolCore::take(Call& call, detail::ShortValue& value) {
  wait(call, fiber::Reactor::kNever, &value);
  return value.taken;
}

/// The end of the call's handle, where the call has nothing but a short value: that spares one more entry into the lock.
void PoolCore::take_short(Call& call, detail::ShortValue& value) noexcept {
  if (call.ending != Ending::value || call.has_extra || call.bytes > sizeof value.data || call.continuing ||
      keep_)
    return;
  value.encoding = call.encoding;
  value.bytes = call.bytes;
  copy_payload(value.data, call.payload(), call.bytes);
  value.taken = true;
  calls_.give_back(call);
}

bool PoolCore::wait(Call& call, std::uint64_t deadline_ns, detail::ShortValue* value) {
  if (call.settled()) return true;
  require_may_wait();
  fiber::Reactor& reactor = own_reactor();
  // Relaxed: advice, any value does no harm.
  const std::uint64_t spin_ns = board_->spin_ns_max.load(base::relaxed);
  reactor.set_spin_limit(spin_ns);
  if (!reactor.others_ready() && spin(call, reactor, deadline_ns, value, reactor.spin_ticks())) return true;
  const std::uint64_t begin = base::now_ns();
  // Where there are cores to spin on, by the clock first, a little before it will settle.
  bool is_early = spin_ns == base::kSpinNsMax && busy_poll_ns() == 0;
  for (;;) {
    const fiber::Waker waker = reactor.waker();
    std::uint64_t until = deadline_ns;
    std::uint64_t give_up = 0;
    {
      const Section section{*this};
      if (call.phase == Phase::settled) return true;
      // Not where others wait too, nor in a worker that is a thread, whose own ring may hold what it waits for.
      is_early = is_early && wait_estimate_.wake_ns() != 0 && sleepers_ == 0 && is_process(options_.kind);
      if (is_early) {
        until = std::min(deadline_ns, begin + wait_estimate_.wake_ns());
        give_up = std::min(deadline_ns, begin + wait_estimate_.give_up_ns());
      }
      calls_.sleep_until_settled(call, waker);
    }
    reactor.attach(*this, waiter_bell_.get(), bell_id_);
    reactor.suspend(until);
    reactor.detach(*this);
    {
      const Section section{*this};
      calls_.sleep_no_more(call);
      if (call.phase == Phase::settled) {
        wait_estimate_.took(base::now_ns() - begin);
        return true;
      }
    }
    if (deadline_ns != fiber::Reactor::kNever && base::now_ns() >= deadline_ns) return false;
    if (!std::exchange(is_early, false) || reactor.others_ready()) continue;
    // Without taking the value: the call keeps the pool alive, which is used below.
    if (!spin(call, reactor, give_up, nullptr, UINT64_MAX)) continue;
    const Section section{*this};
    wait_estimate_.took(base::now_ns() - begin);
    return true;
  }
}

/// Until `condition`, which is asked under the lock whenever a call has settled or a worker has come or gone.
bool PoolCore::wait_until(const std::function<bool()>& condition, std::uint64_t deadline_ns) {
  {
    const Section section{*this};
    static_cast<void>(poll_locked());
    if (condition()) return true;
  }
  require_may_wait();
  fiber::Reactor& reactor = own_reactor();
  for (;;) {
    const fiber::Waker waker = reactor.waker();
    {
      const Section section{*this};
      if (condition()) return true;
      watchers_.push_back(waker);
    }
    reactor.attach(*this, waiter_bell_.get(), bell_id_);
    reactor.suspend(deadline_ns);
    reactor.detach(*this);
    if (deadline_ns != fiber::Reactor::kNever && base::now_ns() >= deadline_ns) {
      const Section section{*this};
      wake_watchers();  // this one's waker goes; the others look again
      return condition();
    }
  }
}

bool PoolCore::watch(Call& call, const fiber::Waker& waker) {
  require_may_wait();
  {
    const Section section{*this};
    if (call.phase == Phase::settled) return false;
    calls_.sleep_until_settled(call, waker);
  }
  attach_to(own_reactor());
  return true;
}

void PoolCore::unwatch(Call& call) noexcept {
  fiber::Reactor::current().detach(*this);
  const Section section{*this};
  calls_.sleep_no_more(call);
}

bool PoolCore::arm() noexcept {
  const Section section{*this};
  ++sleepers_;
  const fiber::Reactor* const me = &fiber::Reactor::current();
  // One thread sleeps on the waiter bell; the others are woken by whoever settles their calls.
  if (seat_ == nullptr) {
    seat_ = me;
    patient_ = is_crowded();
    sleeper_.arm(patient_ ? doorbell::Mode::patient : doorbell::Mode::urgent, link::kWaiterBell);
    // For an answer before a long task, of which its worker does not tell.
    if (patient_) check_later();
  }
  for (const auto* const peers : {&serving_, &leaving_}) {
    for (Peer* const peer : *peers) {
      if (peer->exchange.returns_waiting() != 0 && peer->exchange.flush_returns(peer->port))
        peer->port.ring_if_asleep();
    }
  }
  if (poll_locked()) return false;
  if (options_.kind == WorkerKind::thread && take_one_more()) return false;
  unstick_all();
  wake_sleepers();
  return true;
}

std::uint64_t PoolCore::busy_poll_ns() const noexcept {
  // Relaxed: advice, any value does no harm.
  return board_->busy_poll_ns.load(base::relaxed);
}

/// A worker whose tasks are all suspended sleeps though it has frames in hand, and was not looked at when it got the last.
void PoolCore::wake_sleepers() noexcept {
  for (const auto* const peers : {&serving_, &leaving_}) {
    for (Peer* const peer : *peers) {
      if (std::exchange(peer->look_due, false)) peer->port.ring_if_asleep();
    }
  }
}

void PoolCore::disarm() noexcept {
  const Section section{*this};
  --sleepers_;
  if (seat_ != &fiber::Reactor::current()) return;
  seat_ = nullptr;
  patient_ = false;
  if (sleepers_ == 0) {
    // Handed over to the attendant, who sleeps: so with a fence, and the reactor looks once more (doorbell.md).
    sleeper_.arm(doorbell::Mode::lazy, link::kAttendantBell);
    return;
  }
  // Others still sleep: the attendant is woken for them from now on.
  sleeper_.arm(doorbell::Mode::urgent, link::kAttendantBell);
  static_cast<void>(poll_locked());
}

/// The attendant was rung for.
void PoolCore::on_bell() {
  const Section section{*this};
  static_cast<void>(poll_locked());
  unstick_all();
  wake_sleepers();
  if (seat_ != nullptr) return;
  sleeper_.arm(sleepers_ > 0 ? doorbell::Mode::urgent : doorbell::Mode::lazy, link::kAttendantBell);
  static_cast<void>(poll_locked());
}

// The handle's end.

void PoolCore::release(Call& call) noexcept {
  lock_.lock();
  if (call.phase != Phase::settled || call.continuing || call.has_extra || keep_) [[unlikely]]
    return release_slowly(call);
  const Section section{*this, std::adopt_lock};
  calls_.give_back(call);
}

/// Entered under the lock, and lets go of it.
void PoolCore::release_slowly(Call& call) noexcept {
  std::shared_ptr<PoolCore> last;
  std::shared_ptr<Hearing> hearing;
  const Section section{*this, std::adopt_lock};
  if (call.phase == Phase::settled && !call.continuing) {
    if (call.has_extra) [[unlikely]]
      hearing.swap(call.extra()->hearing);
    calls_.give_back(call);
    if (keep_ && calls_.in_use() == 0) [[unlikely]]
      last.swap(keep_);
  } else {
    call.abandoned = true;
  }
}

}  // namespace weft::work
