// Ways into a pool beside the common one: views, which have a share in its workers; leases, which have one of them alone;
// and tasks that are meant for a certain worker.

#include <algorithm>
#include <string>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

Call& PoolCore::submit(const detail::Request& request, const detail::Route& route) {
  if (options_.queue_limit != 0 && route.worker == 0) wait_for_room();
  return submit_on_terms(request, route);
}

// Views.

Share& PoolCore::add_share(std::size_t limit) {
  const Section section{*this};
  Share& share = queue_.add_share(limit);
  narrow_windows();
  return share;
}

void PoolCore::release_share(Share& share) noexcept {
  const Section section{*this};
  share.is_abandoned = true;
  queue_.drop_if_done(share);
}

void PoolCore::take_place(Call& call) noexcept {
  Terms& terms = call.extra()->terms;
  if (terms.share == nullptr || terms.has_place) return;
  terms.has_place = true;
  ++terms.share->places;
}

void PoolCore::give_up_place(Call& call) noexcept {
  Terms& terms = call.extra()->terms;
  if (terms.share == nullptr) return;
  if (terms.has_place) --terms.share->places;
  terms.has_place = false;
  if (call.phase == Phase::settled) queue_.drop_if_done(*terms.share);
}

// One worker alone.

/// A call that waits is in the pool's queue, or in that of the worker that it is meant for.
void PoolCore::unqueue(Call& call) noexcept {
  if (call.peer != nullptr) {
    call.peer->waiting.remove(call);
  } else {
    queue_.remove(call);
  }
}

void PoolCore::submit_pinned(Call& call, const detail::Payload& payload) {
  Peer* const peer = find_peer(call.extra()->terms.worker);
  if (peer == nullptr || peer->state != Peer::State::serving)
    return settle_with(call,
                       std::make_exception_ptr(Closed{"the worker that the task was meant for has ended"}));
  if (peer->waiting.empty() && send(*peer, call, payload)) return;
  if (call.phase == Phase::settled) return;
  call.phase = Phase::queued;
  call.peer = peer;
  call.store(payload.bytes.data(), static_cast<std::uint32_t>(payload.bytes.size()));
  if (!payload.attachments.empty())
    call.more().attachments.assign(payload.attachments.begin(), payload.attachments.end());
  peer->waiting.push_back(call);
}

void PoolCore::send_waiting(Peer& peer) {
  while (!peer.waiting.empty() && peer.state == Peer::State::serving) {
    Call& call = *peer.waiting.pop_front();
    const detail::Payload payload{call.encoding, {call.payload(), call.bytes}, call.more().attachments};
    if (send(peer, call, payload) || call.phase == Phase::settled) continue;
    return peer.waiting.push_front(call);
  }
}

void PoolCore::fail_waiting(Peer& peer, const std::string& reason) {
  while (!peer.waiting.empty())
    settle_with(*peer.waiting.pop_front(), std::make_exception_ptr(Closed{reason}));
}

std::vector<std::uint64_t> PoolCore::workers() {
  const Section section{*this};
  std::vector<std::uint64_t> ids;
  for (const Peer* const peer : serving_) ids.push_back(peer->id);
  return ids;
}

std::int64_t PoolCore::pid_of(std::uint64_t worker) noexcept {
  const Section section{*this};
  const Peer* const peer = find_peer(worker);
  return peer != nullptr && peer->state == Peer::State::serving ? peer->child.pid : 0;
}

// Leases.

/// One that has nothing to do; else one is started, if there may be another; else the one with the least to do.
Peer* PoolCore::choose_for_lease() {
  if (Peer* const idle = some_idle_peer()) return idle;
  if (can_grow() || peers_.size() > serving_.size()) {
    start_another();
    return nullptr;
  }
  Peer* least = nullptr;
  for (Peer* const peer : serving_) {
    if (!peer->leased && (least == nullptr || peer->sent.size() < least->sent.size())) least = peer;
  }
  return least;
}

std::uint64_t PoolCore::lease() {
  // What may be refused is asked for first: a worker that was chosen must not be left behind.
  require_may_wait();
  static_cast<void>(own_reactor());
  if (options_.kind == WorkerKind::caller)
    throw ArgumentError{"a lease is of a worker process, and with WorkerKind::caller there are none"};
  std::uint64_t id = 0;
  wait_until(
      [&] {
        if (closed_) throw Closed{closed_reason_};
        Peer* peer = find_peer(id);
        if (peer == nullptr || peer->state != Peer::State::serving) {
          if (peers_.empty() && circuit_.is_open(base::now_ns())) throw StartFailed{circuit_.reason()};
          peer = choose_for_lease();
          if (peer == nullptr) return false;
          id = peer->id;
          peer->leased = true;
          ++leased_;
          peer->window = 0;
          peer->tasks_left = UINT64_MAX;
          std::erase(idle_, peer);
          peer->listed_idle = true;
        }
        return peer->sent.empty();
      },
      fiber::Reactor::kNever);
  return id;
}

void PoolCore::end_lease(std::uint64_t worker) noexcept {
  const Section section{*this};
  Peer* const peer = find_peer(worker);
  if (peer == nullptr || peer->state != Peer::State::serving) return;
  peer->leased = false;
  --leased_;
  if (peer->retire_later) return retire(*peer);
  peer->window = peer->window_min;
  if (options_.tasks_per_worker != 0) peer->tasks_left = options_.tasks_per_worker;
  peer->listed_idle = peer->sent.empty();
  if (peer->listed_idle) idle_.push_back(peer);
  if (peer->outdated) kept_ = std::max(kept_, serving_.size());
  replace_outdated();
  refill();
  wake_watchers();
}

/// A worker that is leased goes when the lease is over.
void PoolCore::retire_or_later(Peer& peer, const char* why) {
  peer.last_words = why;
  peer.retire_later = true;
  if (peer.leased) return;
  take_all_back(peer);
  retire(peer);
}

}  // namespace weft::work
