// How a pool keeps itself: workers that have been idle for long or have done their share go, the limit changes, and who
// wants to know that all is done is told.

#include <algorithm>
#include <string>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "process/private_bytes.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

/// Looks twice in each idle_timeout whether somebody has been idle since the last look but one, once when a worker gets old,
/// and every second at the memory of those that have had tasks. No timer runs while there is nobody who could go.
void PoolCore::tend_later() {
  std::uint64_t at_ns = UINT64_MAX;
  if (options_.idle_timeout_ns != 0 && serving_.size() > options_.minimum)
    at_ns = base::now_ns() + options_.idle_timeout_ns / 2;
  bool has_worked = false;
  for (const Peer* const peer : serving_) {
    if (!peer->leased) at_ns = std::min(at_ns, peer->old_at_ns);
    has_worked = has_worked || !peer->sent.empty() || peer->tended_position != peer->port.in.position();
  }
  if (options_.worker_memory_bytes != 0 && has_worked)
    at_ns = std::min(at_ns, base::now_ns() + base::kMemoryLookNs);
  if (at_ns == UINT64_MAX || (tend_timer_ && tend_timer_.deadline_ns <= at_ns)) return;
  Attendant::get().cancel(tend_timer_);
  tend_timer_ = Attendant::get().at(at_ns, [weak = weak_from_this()] {
    if (const auto core = weak.lock()) core->tend();
  });
}

void PoolCore::tend() {
  const Section section{*this};
  tend_timer_ = {};
  static_cast<void>(poll_locked());
  const std::uint64_t now = base::now_ns();
  for (std::size_t i = serving_.size(); i-- > 0;) {
    Peer& peer = *serving_[i];
    const bool idle = !peer.leased && peer.sent.empty() && peer.tended_position == peer.port.in.position();
    if (!idle) peer.idle_since_ns = now;
    if (!peer.leased) recycle_if_due(peer, now);
    peer.tended_position = peer.port.in.position();
    if (peer.state != Peer::State::serving || options_.idle_timeout_ns == 0) continue;
    if (serving_.size() > options_.minimum && now - peer.idle_since_ns >= options_.idle_timeout_ns) {
      peer.last_words = "the worker was idle for longer than PoolOptions::idle_timeout";
      retire(peer);
    }
  }
  refill();
  if (!queue_.empty()) want_workers();
  tend_later();
}

void PoolCore::recycle_if_due(Peer& peer, std::uint64_t now_ns) {
  if (peer.old_at_ns <= now_ns) {
    take_all_back(peer);
    return recycle(peer, "it had been there for " + std::to_string(options_.worker_age_ns / 1'000'000) +
                             " ms (PoolOptions::worker_age)");
  }
  if (options_.worker_memory_bytes == 0 || peer.tended_position == peer.port.in.position()) return;
  const std::uint64_t bytes = process::private_bytes(peer.child.pid);
  if (bytes <= options_.worker_memory_bytes) return;
  take_all_back(peer);
  recycle(peer,
          "it held " + process::describe_bytes(bytes) + " of memory (PoolOptions::worker_memory_bytes)");
}

/// It finishes what it has and ends, so that another comes without what has gathered in this one.
void PoolCore::recycle(Peer& peer, const std::string& why) {
  ++workers_recycled_;
  last_recycled_ = "worker " + std::to_string(peer.id) + " (pid " + std::to_string(peer.child.pid) +
                   ") was replaced, since " + why;
  peer.last_words = last_recycled_;
  retire(peer);
}

/// Spinning is for cores that have nothing better to do.
void PoolCore::adapt_spinning() noexcept {
  std::uint64_t limit = base::kSpinNsMax;
  if (cores_ == 1) limit = 0;
  if (cores_ > 1 && serving_.size() >= cores_) limit = base::kSpinNsCrowded;
  // Relaxed: advice, read now and then.
  board_->spin_ns_max.store(limit, base::relaxed);
  board_->busy_poll_ns.store(limit == base::kSpinNsMax ? options_.busy_poll_ns : 0, base::relaxed);
}

std::size_t PoolCore::limit() const {
  const std::lock_guard guard{lock_};
  return options_.limit;
}

void PoolCore::resize(std::size_t limit) {
  const Section section{*this};
  options_.limit = limit;
  options_.minimum = std::min(options_.minimum, limit);
  std::size_t too_many = serving_.size() - std::min(serving_.size(), limit);
  for (std::size_t i = serving_.size(); i-- > 0 && too_many > 0; --too_many)
    retire_or_later(*serving_[i], "the pool was made smaller");
  replace_outdated();
  refill();
  if (!queue_.empty()) want_workers();
}

bool PoolCore::is_busy() const noexcept {
  return !queue_.empty() || running_here_ != 0 ||
         std::any_of(peers_.begin(), peers_.end(),
                     [](const auto& peer) { return !peer->sent.empty() || !peer->waiting.empty(); });
}

bool PoolCore::is_idle() {
  const Section section{*this};
  static_cast<void>(poll_locked());
  return !closed_ && !is_busy();
}

bool PoolCore::is_closed() {
  const Section section{*this};
  return closed_;
}

bool PoolCore::wait_until_idle(std::uint64_t deadline_ns) {
  return wait_until([this] { return !is_busy(); }, deadline_ns);
}

void PoolCore::wait_for_room() {
  if (options_.on_full == OnFull::wait) return static_cast<void>(wait_until_drained(fiber::Reactor::kNever));
  const Section section{*this};
  if (!has_queue_room()) static_cast<void>(poll_locked());
  if (has_queue_room()) return;
  if (options_.on_full == OnFull::drop_oldest) {
    settle_with(*queue_.take_least(),
                std::make_exception_ptr(QueueFull{
                    "the task was dropped for a newer one, since " + std::to_string(options_.queue_limit) +
                    " tasks waited (PoolOptions::queue_limit, OnFull::drop_oldest)"}));
    return;
  }
  throw QueueFull{"the queue of the " + options_.what + " is full: " + std::to_string(options_.queue_limit) +
                  " tasks wait (PoolOptions::queue_limit)"};
}

bool PoolCore::has_queue_room() const noexcept {
  return closed_ || options_.queue_limit == 0 || queue_.size() < options_.queue_limit;
}

bool PoolCore::needs_drain() {
  const Section section{*this};
  if (!has_queue_room()) static_cast<void>(poll_locked());
  return !has_queue_room();
}

bool PoolCore::wait_until_drained(std::uint64_t deadline_ns) {
  return wait_until([this] { return has_queue_room(); }, deadline_ns);
}

}  // namespace weft::work
