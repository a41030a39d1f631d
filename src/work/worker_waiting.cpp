// How a worker waits for tasks, and when it tells that it has answered.

#include <sched.h>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "work/worker_loop.hpp"

namespace weft::work {

bool WorkerLoop::spin() noexcept {
  // Relaxed: advice, any value does no harm.
  reactor_.set_spin_limit(parts_.board->spin_ns_max.load(base::relaxed));
  const std::uint64_t budget = reactor_.spin_ticks();
  const std::uint64_t alone = base::ticks_per_us() * base::kSpinAloneUs;
  const std::uint64_t begin = base::ticks();
  if (timed_ != done_) tell_times(begin);
  for (std::uint64_t now = begin; now - begin < budget; now = base::ticks()) {
    last_ticks_ = now;
    timed_ = done_;
    for (int look = 0; look < 64; ++look) {
      if (parts_.port.in.peek() != ring::Peek::none) {
        if (now - begin > alone) reactor_.spun(true);
        return true;
      }
      base::spin_pause();  // a look that comes while the parent writes takes the line away from it
      if (look % 8 == 7) last_ticks_ = base::ticks();  // a task is not charged with the wait for it
    }
    if (reactor_.others_ready()) return false;
    if (now - begin > alone) {
      // What a suspended task waits for may come another way: the reactor looks there too.
      if (has_running()) return false;
      ::sched_yield();
    }
  }
  // Where the core was given away meanwhile, its next user may have sent something.
  if (parts_.port.in.peek() == ring::Peek::none) return false;
  last_ticks_ = base::ticks();
  return true;
}

void WorkerLoop::idle() {
  if (leaving_) {
    leave_if_done();
    if (left_) return;
  }
  if (parts_.port.look().mode() == doorbell::Mode::patient) {
    // It has to be told now, and wants this core.
    if (timed_ != done_) tell_times(base::ticks());
    ring_if_behind();
    reactor_.set_spin_limit(0);
  } else if (spin()) {
    return;
  }
  if (reactor_.others_ready()) {
    reactor_.yield();
    last_ticks_ = base::ticks();
    return;
  }
  leader_ = Leader::idle;
  idle_waker_ = reactor_.waker();
  reactor_.suspend();
  leader_ = Leader::looking;
  last_ticks_ = base::ticks();
}

bool WorkerLoop::poll() noexcept {
  if (Asker::has_orders()) [[unlikely]]
    asker_.start_courier();
  if (leader_ == Leader::looking || leader_ == Leader::called) return false;
  if (parts_.port.in.peek() == ring::Peek::none) return false;
  // No fiber need be woken for what a channel's end is given.
  if (channels_ && take_channel_frames() == ChannelEnd::Look::something) return true;
  // Spares a switch to whoever would read on.
  if (asker_.waits() && asker_.take_answers()) return true;
  if (leader_ == Leader::idle) {
    leader_ = Leader::called;
    idle_waker_.wake();
    return true;
  }
  // The leader's task is suspended: somebody else reads on.
  leader_ = Leader::called;
  if (followers_.empty()) {
    spawn([this] { serve(); });
  } else {
    const fiber::Waker next = followers_.back();
    followers_.pop_back();
    next.wake();
  }
  return true;
}

bool WorkerLoop::arm() noexcept {
  if (parts_.port.in.unpublished()) parts_.port.in.publish_consumed();
  if (exchange_.returns_waiting() != 0 && exchange_.flush_returns(parts_.port)) {
    parts_.port.ring_if_asleep();
  }
  if (channels_) channels_->tell_held_back();
  ring_if_behind();
  tell_done();
  sleeper_.arm(doorbell::Mode::urgent);
  return parts_.port.in.peek() == ring::Peek::none;
}

void WorkerLoop::disarm() noexcept { sleeper_.disarm(); }

std::uint64_t WorkerLoop::busy_poll_ns() const noexcept {
  // Relaxed: advice, any value does no harm.
  return parts_.board->busy_poll_ns.load(base::relaxed);
}

void WorkerLoop::ring_if_behind() noexcept {
  if (!parts_.port.out.refresh()) return;
  if (parts_.port.out.consumed() == parts_.port.out.position()) return;
  const doorbell::Word word = parts_.port.published();
  if (word.mode() != doorbell::Mode::awake) parts_.port.ring(word);
}

void WorkerLoop::ring_if_unread() noexcept {
  const std::uint64_t most = base::ticks_per_us() * base::kUnreadUs;
  const std::uint64_t begin = base::ticks();
  do {
    for (int i = 0; i < 8; ++i) base::spin_pause();
    if (!parts_.port.out.refresh() || parts_.port.out.consumed() == parts_.port.out.position()) return;
  } while (base::ticks() - begin < most);
  ring_if_behind();
}

void WorkerLoop::ring_if_old(doorbell::Word word, std::uint64_t now, std::uint64_t old) noexcept {
  if (now - old_since_ < old || !parts_.port.out.refresh()) return;
  if (parts_.port.out.consumed() < old_position_ && word.mode() != doorbell::Mode::awake)
    parts_.port.ring(word);
  old_since_ = now;
  old_position_ = parts_.port.out.position();
}

}  // namespace weft::work
