#include "work/pool_core.hpp"

#include <cstdio>
#include <limits>
#include <utility>
#include <weft/error.hpp>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "base/prefetch.hpp"
#include "process/descriptors.hpp"
#include "sync/inherited_deadline.hpp"
#include "wire/failure.hpp"
#include "work/exceptions.hpp"
#include "work/faults.hpp"

namespace weft::work {

// Submitting.

Call& PoolCore::submit(const detail::Request& request) {
  // Relaxed: a wrong guess costs nothing but time. While the frame is made, its line comes from the worker's cache.
  if (request.payload.bytes.size() <= kShortBytes) base::prefetch_for_writing(next_line_.load(base::relaxed));
  if (options_.looks_first) [[unlikely]] {
    if (options_.queue_limit != 0) wait_for_room();
    if (options_.all_on_terms) return submit_on_terms(request, {});
  }
  if (request.options != nullptr || sync::InheritedDeadline::any()) [[unlikely]]
    return submit_on_terms(request, {});
  const std::uint16_t flags = request.is_named ? wire::kNamed : std::uint16_t{0};
  if (request.payload.bytes.size() <= base::kInlineBytesMax) [[likely]]
    return submit_framed(request, flags);
  return submit_in_block(request, flags);
}

Call& PoolCore::submit_on_terms(const detail::Request& request, const detail::Route& route) {
  Terms terms = request.options == nullptr ? Terms{} : terms_of(*request.options);
  terms.deadline_ns = sooner(terms.deadline_ns, sync::InheritedDeadline::current());
  if (terms.run_limit_ns != 0 && !is_process(options_.kind))
    throw ArgumentError{"TaskOptions::run_limit is for tasks in worker processes, which can be killed"};
  terms.share = route.share;
  terms.worker = route.worker;
  const std::uint16_t flags = request.is_named ? wire::kNamed : std::uint16_t{0};
  Call& call = request.payload.bytes.size() <= base::kInlineBytesMax
                   ? submit_framed(request, flags, &terms)
                   : submit_in_block(request, flags, &terms);
  if (request.options != nullptr && options_.kind != WorkerKind::caller) heed(call, request.options->stop);
  return call;
}

/// A payload that does not fit a frame goes into a block before anything else, so that nothing has to be undone.
Call& PoolCore::submit_in_block(const detail::Request& request, std::uint16_t flags, const Terms* terms) {
  std::vector<Buffer> with_block{Buffer::copy_of(request.payload.bytes)};
  with_block.insert(with_block.end(), request.payload.attachments.begin(), request.payload.attachments.end());
  return submit_framed(
      {request.function, request.is_named, {request.payload.encoding, {}, with_block}, request.options},
      static_cast<std::uint16_t>(flags | wire::kPayloadInBlock), terms);
}

namespace {

wire::FrameHeader header_of(const Call& call) noexcept {
  wire::FrameHeader header;
  header.slot = call.slot();
  header.generation = call.generation();
  header.function = call.function;
  header.kind = wire::Kind::task;
  header.encoding = static_cast<std::uint8_t>(call.encoding);
  header.flags = call.flags;
  if (call.timed) [[unlikely]]
    header.deadline_ns = call.extra()->terms.deadline_ns;
  return header;
}

}  // namespace

bool PoolCore::send_inlined(Peer& peer, Call& call, const detail::Payload& payload) {
  if (payload.bytes.size() > kShortBytes) peer.port.out.warm();
  if (!payload.attachments.empty()) [[unlikely]] {
    if (!send_with_blocks(peer, call, payload)) return false;
  } else if (!peer.port.send(header_of(call), {}, payload.bytes, &call.position)) [[unlikely]] {
    if (peer.port.out.corrupt()) condemn(peer, "it consumed more of its ring than was written");
    return false;
  }
  WEFT_FAILURE_POINT("parent.send.after_commit");
  // Relaxed: where to prefetch; any value does no harm.
  next_line_.store(peer.port.out.head_line(), base::relaxed);
  call.phase = Phase::sent;
  call.withdrawn = false;
  call.peer = &peer;
  // A worker that has frames in hand cannot sleep before it has answered them, and whoever reads that answer looks
  // whether it sleeps (drain): so the fence is paid once a batch.
  const bool had_none = peer.sent.empty();
  peer.sent.push_back(call);
  if (had_none) {
    peer.port.ring_if_asleep();
  } else {
    peer.look_due = true;
  }
  peer.port.out.prepare();
  if (call.timed) [[unlikely]]
    sent_on_terms(peer, call);
  if (--peer.tasks_left == 0) [[unlikely]] {
    recycle(peer, "it had done " + std::to_string(options_.tasks_per_worker) +
                      " tasks (PoolOptions::tasks_per_worker)");
  }
  return true;
}

bool PoolCore::send(Peer& peer, Call& call, const detail::Payload& payload) {
  return send_inlined(peer, call, payload);
}

Call& PoolCore::submit_framed(const detail::Request& request, std::uint16_t flags, const Terms* terms) {
  const Section section{*this};
  if (closed_) [[unlikely]]
    throw Closed{closed_reason_};
  Call& call = calls_.take();
  call.begin(request.function, request.payload.encoding, flags);
  if (terms != nullptr) [[unlikely]] {
    if (request.options != nullptr) {
      call.priority = request.options->priority;
      if (call.priority != Priority::normal && !std::exchange(overtaking_, true)) narrow_windows();
      call.more().heeded = request.options->stop;
    }
    set_terms(call, *terms, request.payload);
    if (call.extra()->heeded.stop_requested()) {
      settle_cancelled(call);
      return call;
    }
    if (call.is_pinned()) {
      submit_pinned(call, request.payload);
      return call;
    }
    if (!CallQueue::may_go(call)) {
      enqueue(call, request.payload);
      return call;
    }
  }
  if (queue_.empty()) [[likely]] {
    Peer* const peer = next_peer();
    if (peer != nullptr && send_inlined(*peer, call, request.payload)) [[likely]]
      return call;
    if (call.phase == Phase::settled) return call;
  }
  enqueue(call, request.payload);
  return call;
}

void PoolCore::enqueue(Call& call, const detail::Payload& payload) {
  call.phase = Phase::queued;
  call.store(payload.bytes.data(), static_cast<std::uint32_t>(payload.bytes.size()));
  if (!payload.attachments.empty()) {
    call.more().attachments.assign(payload.attachments.begin(), payload.attachments.end());
  }
  if (options_.kind == WorkerKind::caller) [[unlikely]]
    return run_soon(call);
  queue_.push_back(call);
  // What has come back meanwhile makes room; and where there are views, those before this one may just have to wait.
  if (!poll_locked() && queue_.has_shares()) refill();
  if (!queue_.empty()) want_workers();
}

bool PoolCore::send_with_blocks(Peer& peer, Call& call, const detail::Payload& payload) {
  const std::span<const Buffer> attachments = payload.attachments;
  if (attachments.size() <= link::kReferencesMax &&
      !peer.port.has_room(attachments.size(), payload.bytes.size())) {
    if (peer.port.out.corrupt()) condemn(peer, "it consumed more of its ring than was written");
    return false;
  }
  if (auto lent = peer.exchange.lend(attachments, references_, peer.port); !lent) {
    if (process::peer_gone(lent.fault())) {
      // It has just died; its pidfd will tell the attendant. The call is for another worker.
      stop_serving(peer);
    } else if (process::would_block(lent.fault())) {
      clog(peer);
    } else {
      settle_with(call, error_of(lent.fault()));
    }
    return false;
  }
  wire::FrameHeader header = header_of(call);
  header.attachments = static_cast<std::uint16_t>(references_.size());
  WEFT_CHECK(peer.port.send(header, references_, payload.bytes, &call.position),
             "there was room for the frame");
  // For the day that the frame comes back unread: the buffers are needed again then.
  auto& kept = call.more().attachments;
  if (kept.data() != attachments.data()) kept.assign(attachments.begin(), attachments.end());
  return true;
}

/// Sends a call whose arguments it holds itself; back to the front of the queue if there is no room.
bool PoolCore::resend(Peer& peer, Call& call) {
  detail::Payload payload{call.encoding, {call.payload(), call.bytes}, {}};
  if (call.has_extra) payload.attachments = call.extra()->attachments;
  if (send(peer, call, payload) || call.phase == Phase::settled) return true;
  queue_.push_front(call);
  return false;
}

// Answers.

bool PoolCore::drain(Peer& peer) noexcept {
  const std::uint64_t before = peer.port.in.position();
  for (;;) {
    const ring::Peek found = peer.port.in.peek();
    if (found == ring::Peek::none) break;
    if (found == ring::Peek::corrupt) {
      condemn(peer, "it published a frame of a length that cannot be");
      break;
    }
    if (!settle_plain(peer)) [[unlikely]]
      on_frame(peer);
    if (peer.state == Peer::State::ending && !peer.violation.empty()) break;
    peer.port.in.release();
    // Nothing is due any more: a look at the line after it would fetch that one from the worker's cache for nothing.
    if (peer.sent.empty()) break;
  }
  const std::uint64_t read = peer.port.in.position() - before;
  if (read == 0) return false;
  peer.quiet_checks = 0;
  peer.port.in.publish_consumed();
  // Due for frames that were sent without a look; and a worker that found its ring full naps until there is room.
  if ((peer.look_due && !peer.sent.empty()) || read > base::kRingLines / 2) peer.port.ring_if_asleep();
  peer.look_due = false;
  if (!peer.stops.empty()) [[unlikely]]
    flush_stops(peer);
  if (!peer.waiting.empty()) [[unlikely]]
    send_waiting(peer);
  if (peer.exchange.returns_waiting() >= base::kReturnsBatch && peer.exchange.flush_returns(peer.port)) {
    peer.port.ring_if_asleep();
  }
  return true;
}

/// The value of a call with which nothing else goes: most frames are one. False if this one is something else; then
/// nothing has been done.
bool PoolCore::settle_plain(Peer& peer) noexcept {
  const std::uint32_t bytes = peer.port.in.bytes();
  if (bytes < sizeof(wire::FrameHeader)) return false;
  const wire::FrameHeader header = wire::get(peer.port.in.data());
  if (header.kind != wire::Kind::value || header.flags != 0 || header.attachments != 0) return false;
  if (peer.captures || !watchers_.empty()) [[unlikely]]
    return false;
  Call* const call = calls_.find(header.slot, header.generation);
  if (call == nullptr || call->peer != &peer || !call->is_plain()) return false;
  WEFT_FAILURE_POINT("parent.answer.before_settle");
  no_longer_sent(peer, *call);
  call->encoding = static_cast<Encoding>(header.encoding);
  call->flags &= wire::kNamed;
  call->ending = Ending::value;
  call->store_behind_header({peer.port.in.data() + sizeof header, bytes - sizeof header});
  ++finished_;
  call->phase = Phase::settled;
  call->publish_settled();
  return true;
}

void PoolCore::on_frame(Peer& peer) {
  const std::uint32_t bytes = peer.port.in.bytes();
  if (bytes < sizeof(wire::FrameHeader)) return condemn(peer, "it published a frame without a header");
  const wire::FrameHeader header = wire::get(peer.port.in.data());
  const std::span<const std::byte> body{peer.port.in.data() + sizeof header, bytes - sizeof header};
  switch (header.kind) {
    case wire::Kind::value:
    case wire::Kind::failure:
      return on_answer(peer, header, body);
    case wire::Kind::release: {
      // Copied before it is checked: the worker can still write it.
      std::array<std::byte, 4096> copy;  // NOLINT(cppcoreguidelines-pro-type-member-init)
      if (body.size() > copy.size()) return condemn(peer, "it gave back more blocks at once than it may");
      std::memcpy(copy.data(), body.data(), body.size());
      if (body.empty() || !peer.exchange.on_release(std::span{copy}.first(body.size()))) {
        condemn(peer, "it gave back a block that it had not been lent");
      }
      return;
    }
    case wire::Kind::returned: {
      Call* const call = calls_.find(header.slot, header.generation);
      if (call == nullptr || call->peer != &peer) {
        // One that was taken back in time has another generation by now.
        if (peer.returns_owed == 0) return condemn(peer, "it returned a task that it did not have");
        --peer.returns_owed;
        return;
      }
      if (!call->withdrawn || !on_returned(peer, *call))
        return condemn(peer, "it returned a task that nobody had asked back");
      on_came_back(*call);
      if (stopped_) drop_waiting();
      return;
    }
    case wire::Kind::ask:
      return on_ask(peer, header, body);
    default:
      return on_talk(peer, header, body);
  }
}

void PoolCore::on_answer(Peer& peer, const wire::FrameHeader& header, std::span<const std::byte> body) {
  Call* const call = calls_.find(header.slot, header.generation);
  if (call == nullptr || call->peer != &peer) return condemn(peer, "it answered a task that it did not have");
  if (call->has_extra) call->extra()->attachments.clear();
  if (header.attachments != 0) [[unlikely]] {
    const std::size_t bytes = header.attachments * sizeof(wire::BlockReference);
    if (header.attachments > link::kReferencesMax || body.size() < bytes) {
      return condemn(peer, "an answer of its ends among the blocks that it names");
    }
    references_.resize(header.attachments);
    std::memcpy(references_.data(), body.data(), bytes);
    if (auto done = peer.exchange.borrow(references_, call->more().attachments); !done) {
      call->more().attachments.clear();
      return condemn(peer, done.fault());
    }
    body = body.subspan(bytes);
  } else if ((header.flags & wire::kPayloadInBlock) != 0) {
    return condemn(peer, "an answer of its lies in a block that it does not name");
  }
  WEFT_FAILURE_POINT("parent.answer.before_settle");
  if (call->timed) [[unlikely]]
    note_times(*call, header.function, header.deadline_ns);
  no_longer_sent(peer, *call);
  call->encoding = static_cast<Encoding>(header.encoding);
  call->flags =
      static_cast<std::uint16_t>((call->flags & wire::kNamed) | (header.flags & wire::kPayloadInBlock));
  call->ending = header.kind == wire::Kind::failure ? Ending::failure : Ending::value;
  call->store(body.data(), static_cast<std::uint32_t>(body.size()));
  if (call->ending == Ending::value) {
    ++finished_;
  } else {
    ++(stopped_late(*call) ? timed_out_ : failed_);
  }
  if (peer.captures) [[unlikely]]
    call->more().output = peer.output->of_call(call->id);
  settle(*call);
}

void PoolCore::settle_with(Call& call, std::exception_ptr exception) noexcept {
  settle_with(call, std::move(exception), failed_);
}

void PoolCore::settle_with(Call& call, std::exception_ptr exception, std::uint64_t& count) noexcept {
  ++count;
  call.ending = Ending::exception;
  call.more().exception = std::move(exception);
  call.more().attachments.clear();
  settle(call);
}

void PoolCore::settle(Call& call) noexcept {
  call.phase = Phase::settled;
  call.peer = nullptr;
  if (!watchers_.empty()) [[unlikely]]
    wake_watchers();
  if (call.timed) [[unlikely]]
    drop_terms(call);
  if (call.has_continuation || call.watched) [[unlikely]]
    tell(call);
  if (call.abandoned && !call.continuing) {
    calls_.give_back(call);
    return;
  }
  if (call.waited_for) [[unlikely]] {
    const fiber::Waker waker = calls_.sleep_no_more(call);
    call.publish_settled();
    waker.wake();
  } else {
    call.publish_settled();
  }
}

bool PoolCore::poll_locked() noexcept {
  bool any = false;
  for (std::size_t i = 0; i < serving_.size(); ++i) {
    Peer& peer = *serving_[i];
    if (!peer.sent.empty() || peer.exchange.loans_outstanding() != 0) any = drain(peer) || any;
  }
  if (!leaving_.empty()) [[unlikely]] {
    for (std::size_t i = 0; i < leaving_.size(); ++i) any = drain(*leaving_[i]) || any;
  }
  if (!askers_.empty()) [[unlikely]]
    any = read_askers() || any;
  if (any) refill();
  return any;
}

bool PoolCore::poll() noexcept {
  const Section section{*this};
  return poll_locked();
}

}  // namespace weft::work
