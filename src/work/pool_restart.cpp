// How all workers of a pool are replaced while it goes on: by and by, so that it keeps nearly all of them at any time.

#include <algorithm>

#include "base/clock.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

namespace {

/// One in so many may be away at a time.
constexpr std::size_t kAwayShare = 8;

}  // namespace

void PoolCore::restart() {
  const Section section{*this};
  static_cast<void>(poll_locked());
  ++restarts_;  // what is about to start is outdated too
  for (const auto& peer : peers_) peer->outdated = peer->state != Peer::State::ending;
  end_zygote();  // it has run the initializer as things were then
  kept_ = std::max(kept_, serving_.size() + count_starting());
  replace_outdated();
  refill();
  if (!queue_.empty()) want_workers();
}

/// The next ones go, as long as no more are away than may be; others are started where there is a place. Called
/// whenever a worker has come or gone, a lease has ended, or the limit has changed.
void PoolCore::replace_outdated() {
  if (closed_ || kept_ == 0) return;
  if (circuit_.is_open(base::now_ns())) return give_up_restart();
  kept_ = std::max(kept_, serving_.size());
  const std::size_t away_max = std::max<std::size_t>(kept_ / kAwayShare, 1);
  while (count_missing() < away_max) {
    Peer* const peer = next_outdated();
    if (peer == nullptr) break;
    take_all_back(*peer);
    peer->last_words = "the pool's workers were restarted";
    retire(*peer);
  }
  if (count_missing() == 0) {
    kept_ = 0;  // all have been replaced, but for those that are leased
    return;
  }
  // Copies do not say when they have started.
  if (count_unstarted() != 0) check_later();
  std::size_t under_way = count_starting() + count_unstarted() + starts_posted_;
  for (; under_way < count_missing() && can_grow(); ++under_way) start_one_more();
}

/// Of the workers that the pool is to have while they are replaced, those that have not started yet.
std::size_t PoolCore::count_missing() const noexcept {
  const std::size_t wanted = std::min(kept_, options_.limit);
  const auto started = static_cast<std::size_t>(
      std::count_if(serving_.begin(), serving_.end(), [](const Peer* peer) { return peer->has_started(); }));
  return wanted - std::min(wanted, started);
}

std::size_t PoolCore::count_starting() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      peers_.begin(), peers_.end(), [](const auto& peer) { return peer->state == Peer::State::starting; }));
}

/// A zygote's copy gets tasks before it has started.
std::size_t PoolCore::count_unstarted() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(serving_.begin(), serving_.end(), [](const Peer* peer) { return !peer->has_started(); }));
}

/// Of those that nobody has leased the one with the least to do, since it is soon done.
Peer* PoolCore::next_outdated() noexcept {
  Peer* next = nullptr;
  for (Peer* const peer : serving_) {
    if (!peer->outdated || peer->leased) continue;
    if (next == nullptr || peer->sent.size() < next->sent.size()) next = peer;
  }
  return next;
}

/// No more are to be had: those that are there stay.
void PoolCore::give_up_restart() noexcept {
  kept_ = 0;
  for (const auto& peer : peers_) peer->outdated = false;
}

}  // namespace weft::work
