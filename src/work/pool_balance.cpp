// Who gets what: which worker a task goes to, and which tasks change workers before they have begun.

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

namespace {

/// Fewer frames than so many are not worth moving to another worker while their own makes progress.
constexpr std::size_t kMoveAtLeast = 16;
/// Tasks of so many microseconds at the most are short.
constexpr std::uint64_t kShortUs = 50;
/// Where all cores are used, a worker from which nothing comes for fewer checks may just be waiting for one.
constexpr std::uint32_t kQuietChecks = 4;

/// So many get on with short tasks that what waits in the queue need not wait for long.
bool are_supplied(const std::vector<Peer*>& workers, unsigned enough) noexcept {
  const std::uint64_t most = kShortUs * base::ticks_per_us();
  const auto is_supplied = [most](const Peer* peer) {
    // Relaxed: advice, any value does no harm.
    return !peer->leased && !peer->sent.empty() && peer->quiet_checks < kQuietChecks &&
           peer->port.peer->task_ticks.load(base::relaxed) <= most;
  };
  return static_cast<std::size_t>(std::count_if(workers.begin(), workers.end(), is_supplied)) >= enough;
}

}  // namespace

/// A worker that is idle and still looks for work, the one that was busy last: its caches are warm. Where no worker is
/// idle, any with room.
Peer* PoolCore::next_peer() noexcept {
  while (!idle_.empty()) {
    Peer* const peer = idle_.back();
    if (peer->sent.empty()) {
      return peer->port.look().mode() == doorbell::Mode::awake ? peer : woken_or_busy(*peer);
    }
    idle_.pop_back();
    peer->listed_idle = false;
  }
  // Most often the one that got the last.
  if (cursor_ < serving_.size() && serving_[cursor_]->has_room() && !can_grow()) [[likely]]
    return serving_[cursor_];
  return next_peer_with_room();
}

/// An idle worker that sleeps costs a system call to wake, and somebody else's core where there are more workers than cores:
/// while another has little in hand, that one gets the task too; and while others use all cores and get on, none is woken.
Peer* PoolCore::woken_or_busy(Peer& sleeping) noexcept {
  if (serving_.size() == idle_.size()) return &sleeping;
  if (Peer* const busy = peer_with_little()) return busy;
  if (!is_saturated() || !are_supplied(serving_, cores_)) return &sleeping;
  check_later();  // so that what is not handed out now will be, should they turn out to be at something long
  return nullptr;
}

/// It has nothing left to do, and may be given something.
void PoolCore::now_idle(Peer& peer) noexcept {
  if (peer.listed_idle || peer.state != Peer::State::serving) return;
  static_cast<void>(some_idle_peer());  // what was taken and still stands there shall not lie below this one
  idle_.push_back(&peer);               // start_serving() has made the room
  peer.listed_idle = true;
}

/// A busy worker that will be done with all it has before another could wake, as far as one can tell: check_later() sees
/// to it that nothing is stuck there if one could not. Where there is no core for another, any busy one with room.
Peer* PoolCore::peer_with_little() noexcept {
  const std::size_t count = serving_.size();
  const bool saturated = is_saturated();
  const auto has_little = [saturated](const Peer& peer) {
    if (saturated) return peer.quiet_checks < kQuietChecks && peer.has_room();
    return peer.quiet_checks == 0 && peer.in_hand() < peer.worth_waking();
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (cursor_ >= count) cursor_ = 0;
    Peer& peer = *serving_[cursor_];
    if (!peer.sent.empty()) {
      if (!has_little(peer)) peer.adapt_window(window_ns());
      if (has_little(peer)) {
        check_later();
        return &peer;
      }
    }
    ++cursor_;
  }
  return nullptr;
}

Peer* PoolCore::next_peer_with_room() noexcept {
  const std::size_t count = serving_.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (cursor_ >= count) cursor_ = 0;
    Peer& peer = *serving_[cursor_];
    if (!peer.has_room()) [[unlikely]]
      peer.adapt_window(window_ns());
    if (peer.has_room()) {
      if (can_grow()) check_later();
      return &peer;
    }
    ++cursor_;
  }
  return nullptr;
}

void PoolCore::refill() {
  while (!queue_.empty()) {
    Peer* const peer = next_peer();
    if (peer == nullptr) return;
    Call* const call = queue_.take();
    if (call == nullptr) return;
    if (!resend(*peer, *call)) return;
  }
  share_out();
}

Peer* PoolCore::some_idle_peer() noexcept {
  while (!idle_.empty() && !idle_.back()->sent.empty()) {
    idle_.back()->listed_idle = false;
    idle_.pop_back();
  }
  return idle_.empty() ? nullptr : idle_.back();
}

/// A worker has nothing to do while another has much in hand: half of it goes over.
void PoolCore::share_out() {
  if (serving_.size() < 2 || is_saturated()) return;
  Peer* const idle = some_idle_peer();
  if (idle == nullptr) return;
  for (Peer* const rich : serving_) {
    const std::size_t frames = rich->sent.size();
    if (rich->leased || frames < kMoveAtLeast || frames < 2 * rich->worth_waking()) continue;
    move(*rich, *idle, frames / 2);
    return;
  }
}

/// A worker from which nothing has come for a while is in a long task: what it has not begun goes to those that are idle,
/// to each its share.
void PoolCore::unstick(Peer& stuck) {
  if (some_idle_peer() == nullptr) return start_another();
  std::size_t left = stuck.sent.size() - 1;
  std::size_t idle_ones = 0;
  for (const Peer* const peer : serving_) idle_ones += peer->sent.empty() && !peer->leased ? 1 : 0;
  for (; idle_ones > 0 && left > 0; --idle_ones) {
    Peer* const idle = some_idle_peer();
    if (idle == nullptr) return;
    const std::size_t share = (left + idle_ones - 1) / idle_ones;
    if (!move(stuck, *idle, share)) return;
    left -= share;
  }
}

/// The workers are at long tasks, and so long might they put off to tell of an answer: whoever sleeps is told of the next
/// at once. (He sleeps on at his bell, and what came before he would be told of is read here.)
void PoolCore::be_impatient() {
  patient_ = false;
  sleeper_.arm(doorbell::Mode::urgent, link::kWaiterBell);
  static_cast<void>(poll_locked());
}

/// All cores have a worker that is at work, so whoever else runs takes one away from it.
bool PoolCore::is_crowded() const noexcept {
  // Those listed as idle have nothing in hand, but for the last few; and what the leased do is between them and whoever has
  // leased them.
  return serving_.size() >= idle_.size() + leased_ + cores_;
}

/// And those workers do use them: one more that is woken brings nothing.
bool PoolCore::is_saturated() const noexcept { return core_use_.is_full() && is_crowded(); }

/// How much work a worker is handed in advance. What it has is not overtaken, so that where tasks overtake each other it is
/// never much.
std::uint64_t PoolCore::window_ns() const noexcept {
  return is_saturated() && !overtaking_ && !queue_.has_shares() ? base::kWindowCrowdedNs : base::kWindowNs;
}

/// Tasks overtake each other from now on, but for those that workers have.
void PoolCore::narrow_windows() noexcept {
  for (Peer* const peer : serving_) {
    if (peer->window_ns > base::kWindowNs) peer->adapt_window(base::kWindowNs);
  }
}

/// Who waits for this call by looking for its answer takes a core from a worker, while they all have enough to do without
/// him.
bool PoolCore::has_better_use_of_core(const Call& call) const noexcept {
  if (call.phase == Phase::settled || !is_crowded()) return false;
  if (!queue_.empty() || call.peer == nullptr) return !queue_.empty();
  return !call.peer->leased && call.peer->sent.size() > std::max(call.peer->worth_waking(), kMoveAtLeast);
}

bool PoolCore::can_grow() const noexcept { return peers_.size() + starts_posted_ < options_.limit; }

/// For what is stuck behind a long task, though it does not wait in the queue. One at a time: it will take its share.
void PoolCore::start_another() {
  const bool on_its_way = starts_posted_ != 0 || peers_.size() > serving_.size();
  if (closed_ || on_its_way || !can_grow() || circuit_.is_open(base::now_ns())) return;
  start_one_more();
}

/// Nothing has come from anybody for as long as somebody has spun. Where all cores are at work, that may just be because a
/// worker waits for one.
void PoolCore::unstick_all() {
  if (serving_.size() < 2 && !can_grow()) return;
  if (is_crowded()) return check_later();
  // By index: sending to a worker that has died takes it out of the list.
  for (std::size_t i = 0; i < serving_.size(); ++i) {
    if (!serving_[i]->leased && serving_[i]->sent.size() >= 2) unstick(*serving_[i]);
  }
}

/// Moves up to `count` frames that `from` has not begun, the last ones first. False if there was nothing more to move.
bool PoolCore::move(Peer& from, Peer& to, std::size_t count) {
  for (; count > 0 && from.sent.size() > 1 && to.sent.size() < base::kWindowMax; --count) {
    Call& call = *from.sent.back();
    if (call.is_pinned() || !withdraw(from, call)) return false;
    queue_.remove(call);
    if (!resend(to, call)) return false;
  }
  return true;
}

/// The control socket of `peer` holds no more, since it is stopped, or flooded with new chunks: it gets no further task
/// until it has been asked again.
void PoolCore::clog(Peer& peer) {
  peer.window = 0;
  std::erase(idle_, &peer);
  peer.listed_idle = peer.leased;
  check_later();
}

void PoolCore::unclog() {
  // By index: sending to a worker that has died takes it out of the list.
  for (std::size_t i = 0; i < serving_.size(); ++i) {
    Peer& peer = *serving_[i];
    if (peer.is_clogged()) {
      peer.window = peer.window_min;
      if (peer.sent.empty() && !peer.listed_idle) idle_.push_back(&peer);
      peer.listed_idle = peer.listed_idle || peer.sent.empty();
    }
    send_waiting(peer);
  }
}

/// Looks again in a millisecond whether those who have tasks get on with them, and hands out what nobody was woken for.
void PoolCore::check_later() {
  if (check_timer_) return;
  check_timer_ = Attendant::get().at(base::now_ns() + base::kStuckNs, [weak = weak_from_this()] {
    if (const auto core = weak.lock()) core->check();
  });
}

void PoolCore::check() {
  const Section section{*this};
  check_timer_ = {};
  // What else this program computes does not matter to a pool that has nothing to do.
  is_busy() ? core_use_.look(serving_, cores_) : static_cast<void>(core_use_ = {});
  unclog();
  static_cast<void>(poll_locked());
  refill();
  bool again = false;
  bool any_came = false;
  const auto came = [](Peer& peer) {
    const std::uint64_t position = peer.port.in.position();
    return std::exchange(peer.checked_position, position) != position;
  };
  for (std::size_t i = 0; i < serving_.size(); ++i) {
    Peer& peer = *serving_[i];
    if (peer.sent.empty()) continue;
    const bool gets_on = came(peer);
    peer.quiet_checks = gets_on ? 0 : peer.quiet_checks + 1;
    if (peer.sent.size() < 2) continue;
    any_came = any_came || gets_on;
    if (peer.leased) continue;
    again = true;
    if (!gets_on) unstick(peer);
  }
  for (Peer* const peer : leaving_) any_came = came(*peer) || any_came;
  if (kept_ != 0) replace_outdated();
  if (patient_ && !any_came) be_impatient();
  wake_sleepers();
  const bool clogged = std::any_of(serving_.begin(), serving_.end(), [](const Peer* peer) {
    return peer->is_clogged() || (peer->sent.empty() && !peer->waiting.empty());
  });
  if (clogged || patient_ || owes_answers() || core_use_.is_full() ||
      (again && (can_grow() || some_idle_peer() != nullptr)))
    check_later();
}

}  // namespace weft::work
