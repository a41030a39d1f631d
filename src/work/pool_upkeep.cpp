// How a pool keeps itself: workers that have been idle for long or have done their share go, the limit changes, and who
// wants to know that all is done is told.

#include <algorithm>
#include <string>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

/// Looks twice in each idle_timeout whether somebody has been idle since the last look but one; no timer runs while there
/// is nobody who could go.
void PoolCore::tend_later() {
  if (tend_timer_ || options_.idle_timeout_ns == 0 || serving_.size() <= options_.minimum) return;
  tend_timer_ = Attendant::get().at(base::now_ns() + options_.idle_timeout_ns / 2, [weak = weak_from_this()] {
    if (const auto core = weak.lock()) core->tend();
  });
}

void PoolCore::tend() {
  const Section section{*this};
  tend_timer_ = {};
  static_cast<void>(poll_locked());
  for (std::size_t i = serving_.size(); i-- > 0 && serving_.size() > options_.minimum;) {
    Peer& peer = *serving_[i];
    const bool idle = !peer.leased && peer.sent.empty() && peer.tended_position == peer.port.in.position();
    peer.tended_position = peer.port.in.position();
    peer.idle_looks = idle ? peer.idle_looks + 1 : 0;
    if (peer.idle_looks >= 2) {
      peer.last_words = "the worker was idle for longer than PoolOptions::idle_timeout";
      retire(peer);
    }
  }
  tend_later();
}

/// Spinning is for cores that have nothing better to do.
void PoolCore::adapt_spinning() noexcept {
  std::uint64_t limit = base::kSpinNsMax;
  if (cores_ == 1) limit = 0;
  if (cores_ > 1 && serving_.size() >= cores_) limit = base::kSpinNsCrowded;
  // Relaxed: advice, read now and then.
  board_->spin_ns_max.store(limit, base::relaxed);
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
  refill();
  if (!queue_.empty()) want_workers();
}

void PoolCore::restart() {
  const Section section{*this};
  for (std::size_t i = serving_.size(); i-- > 0;)
    retire_or_later(*serving_[i], "the pool's workers were restarted");
  if (!queue_.empty()) want_workers();
}

bool PoolCore::is_busy() const noexcept {
  return !queue_.empty() || std::any_of(peers_.begin(), peers_.end(), [](const auto& peer) {
    return !peer->sent.empty() || !peer->waiting.empty();
  });
}

bool PoolCore::wait_until_idle(std::uint64_t deadline_ns) {
  return wait_until([this] { return !is_busy(); }, deadline_ns);
}

void PoolCore::wait_for_room() {
  const auto has_room = [this] { return closed_ || queue_.size() < options_.queue_limit; };
  if (options_.reject_when_full) {
    const Section section{*this};
    if (!has_room()) static_cast<void>(poll_locked());
    if (has_room()) return;
    throw QueueFull{"the queue of the " + options_.what + " is full: " +
                    std::to_string(options_.queue_limit) + " tasks wait (PoolOptions::queue_limit)"};
  }
  wait_until(has_room, fiber::Reactor::kNever);
}

}  // namespace weft::work
