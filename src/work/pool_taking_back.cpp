// What a worker does not run after all: frames are withdrawn from its ring (ring.md), and their calls wait again.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "ring/take_back.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

/// Withdraws the frame of a sent call. True if that was in time: it waits in the queue again. Where it was too late to
/// know, the worker's answer decides; by then the frame's lines may have been written anew, so its arguments are kept.
bool PoolCore::withdraw(Peer& peer, Call& call) {
  if (ring::try_take_back(peer.port.out, call.position, *peer.port.peer) == ring::TakeBack::taken) {
    ++peer.returns_owed;
    return on_returned(peer, call);
  }
  if (!call.withdrawn && call.position >= peer.port.out.consumed()) {
    std::uint32_t mark = 0;
    std::memcpy(&mark, peer.port.out.at(call.position) + offsetof(wire::FrameHeader, withdrawn), sizeof mark);
    call.withdrawn = mark != 0 && read_back(peer, call);
  }
  return false;
}

/// Copies the arguments of a sent call out of the ring. False if the frame is not there any more.
bool PoolCore::read_back(Peer& peer, Call& call) {
  const std::byte* const frame = peer.port.out.at(call.position);
  std::uint32_t length = 0;
  std::memcpy(&length, frame, sizeof length);
  const wire::FrameHeader header = wire::get(frame);
  const std::size_t fixed = sizeof(wire::FrameHeader) + header.attachments * sizeof(wire::BlockReference);
  if (call.position < peer.port.out.consumed() || length < fixed || header.slot != call.slot() ||
      header.generation != call.generation()) {
    return false;
  }
  if (header.attachments != 0) {
    const auto* const first =
        reinterpret_cast<const wire::BlockReference*>(frame + sizeof(wire::FrameHeader));
    call.more().lent.assign(first, first + header.attachments);
  }
  call.store(frame + fixed, length - static_cast<std::uint32_t>(fixed));
  return true;
}

/// The frame of `call` was taken back, or will never be read: its arguments come out of the ring, which is this
/// process's own memory, and it waits at the front of the queue again under a new generation, so that the worker's
/// `returned` finds nobody. False if the frame is not there any more.
bool PoolCore::on_returned(Peer& peer, Call& call) {
  if (!call.withdrawn && !read_back(peer, call)) return false;
  call.withdrawn = false;
  if (call.has_extra && !call.extra()->lent.empty()) {
    peer.exchange.unlend(call.extra()->lent);
    call.extra()->lent.clear();
  }
  if (call.has_extra && call.extra()->talk) forget_opened(call);
  no_longer_sent(peer, call);
  call.phase = Phase::queued;
  call.next_generation();
  if (call.timed) {
    no_longer_handed(call);
    if (std::exchange(call.extra()->terms.began_ns, 0) != 0) next_timer(call);
  }
  if (call.is_pinned()) {
    call.peer = &peer;
    peer.waiting.push_front(call);
  } else {
    queue_.push_front(call);
  }
  return true;
}

/// What it has not begun waits in the queue again.
void PoolCore::take_all_back(Peer& peer) {
  while (peer.sent.size() > 1) {
    Call& last = *peer.sent.back();
    if (last.is_pinned() || !withdraw(peer, last)) return;
  }
}

/// Withdraws all that it has not answered. What begins at the position given or behind it will not run.
std::uint64_t PoolCore::withdraw_all(Peer& peer) noexcept {
  for (Call* call = peer.sent.back(); call != nullptr; call = call->previous) {
    if (call->position >= peer.port.out.consumed()) peer.port.out.withdraw(call->position);
  }
  return ring::first_taken(*peer.port.peer);
}

}  // namespace weft::work
