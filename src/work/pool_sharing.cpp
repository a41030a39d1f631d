// What the workers of a pool ask of the shared objects of this process (shared_home.hpp).

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <weft/error.hpp>

#include "base/failure_point.hpp"
#include "base/limits.hpp"
#include "process/descriptors.hpp"
#include "work/pool_core.hpp"
#include "work/shared_home.hpp"

namespace weft::work {

/// A worker may ask when it has no task any more: its ring is read all the same from now on.
void PoolCore::read_always(Peer& peer) {
  if (!peer.guest) peer.guest = std::make_shared<Guest>(weak_from_this(), peer.id);
  if (std::find(askers_.begin(), askers_.end(), &peer) == askers_.end()) askers_.push_back(&peer);
}

bool PoolCore::read_askers() noexcept {
  bool any = false;
  for (std::size_t i = 0; i < askers_.size(); ++i) {
    Peer* const peer = askers_[i];
    if (peer->killed || !peer->violation.empty()) continue;
    // drain() stops where no answer is due any more. No more rounds than there are frames in a ring: one that floods
    // does not keep this thread.
    for (std::uint32_t frame = 0; frame < base::kRingLines && drain(*peer); ++frame) any = true;
    if (peer->guest) send_answers(*peer);
  }
  return any;
}

void PoolCore::on_ask(Peer& peer, const wire::FrameHeader& header, std::span<const std::byte> body) {
  const bool in_block = (header.flags & wire::kPayloadInBlock) != 0;
  std::vector<Buffer> attachments;
  if (header.attachments != 0) {
    const std::size_t bytes = header.attachments * sizeof(wire::BlockReference);
    if (header.attachments > link::kReferencesMax || body.size() < bytes)
      return condemn(peer, "an ask of its ends among the blocks that it names");
    references_.resize(header.attachments);
    std::memcpy(references_.data(), body.data(), bytes);
    if (auto done = peer.exchange.borrow(references_, attachments); !done) return condemn(peer, done.fault());
    body = body.subspan(bytes);
  } else if (in_block) {
    return condemn(peer, "an ask of its lies in a block that it does not name");
  }
  wire::AskHead head;
  // Copied before it is looked at: the worker can still write it.
  std::array<std::byte, base::kInlineBytesMax> copy;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  if (body.size() < sizeof head || body.size() - sizeof head > copy.size())
    return condemn(peer, "an ask of its is shorter than its head, or longer than it may be");
  std::memcpy(&head, body.data(), sizeof head);
  body = body.subspan(sizeof head);
  std::memcpy(copy.data(), body.data(), body.size());
  const std::span<const std::byte> rest = std::span{copy}.first(body.size());

  Asked asked{head.operation,
              head.count,
              header.deadline_ns == 0 ? fiber::Reactor::kNever : header.deadline_ns,
              {},
              nullptr,
              header.function,
              wire::call_id(header)};
  if (head.operation == wire::Operation::store) {
    const auto encoding = static_cast<Encoding>(header.encoding);
    try {
      asked.value = in_block ? detail::SharedValue::copy_of({encoding, attachments[0].bytes(),
                                                             std::span<const Buffer>{attachments}.subspan(1)})
                             : detail::SharedValue::copy_of({encoding, rest, attachments});
    } catch (const Error&) {  // it stays as it was, and the worker is told
    }
  } else {
    asked.key = {reinterpret_cast<const char*>(rest.data()), rest.size()};
  }
  if (!peer.guest) read_always(peer);
  SharedHome& home = SharedHome::get();
  WEFT_FAILURE_POINT("shared.ask.read");
  if (const char* const complaint = home.ask(*peer.guest, asked)) return condemn(peer, complaint);
  send_answers(peer);
  if (!home.has_news()) return;
  // Workers of other pools, whose locks this thread must not wait for here.
  after_.emplace_back([] { SharedHome::get().deliver(); });
  leave_slowly_ = true;
}

void PoolCore::deliver(std::uint64_t worker) {
  const Section section{*this};
  Peer* const peer = find_peer(worker);
  if (peer != nullptr && peer->guest) send_answers(*peer);
}

void PoolCore::send_answers(Peer& peer) {
  SharedHome& home = SharedHome::get();
  std::vector<Guest::Answer> answers = home.take_answers(*peer.guest);
  if (answers.empty()) return;
  const auto unsent = std::find_if(answers.begin(), answers.end(), [&](const Guest::Answer& answer) {
    return !send_answer(peer, answer.ticket, answer.told);
  });
  if (unsent != answers.begin()) {
    peer.port.ring_if_asleep();
    peer.port.out.prepare();
  }
  if (unsent == answers.end()) return;
  answers.erase(answers.begin(), unsent);
  home.put_back(*peer.guest, std::move(answers));
  check_later();
}

/// False if it has to wait for room.
bool PoolCore::send_answer(Peer& peer, std::uint64_t ticket, const Told& told) {
  if (peer.killed || !peer.violation.empty()) return true;  // nobody reads it any more
  if (told.verdict == wire::Verdict::refused && !wire::is_relayed(ticket)) {
    condemn(peer, "it asked the home of a shared object, further up, for what nobody may ask");
    return true;
  }
  wire::FrameHeader header;
  header.slot = static_cast<std::uint32_t>(ticket);
  header.generation = static_cast<std::uint32_t>(ticket >> 32);
  header.function = static_cast<std::uint64_t>(told.verdict) | (told.abandoned ? wire::kAbandoned : 0);
  header.deadline_ns = told.turn_ns;
  header.kind = wire::Kind::answer;
  std::vector<wire::BlockReference> references;
  std::span<const std::byte> bytes;
  if (const detail::SharedValue* const value = told.value.get()) {
    header.encoding = static_cast<std::uint8_t>(value->encoding);
    header.flags = value->in_block ? wire::kPayloadInBlock : std::uint16_t{0};
    bytes = value->bytes;
    if (!value->attachments.empty() && peer.port.has_room(value->attachments.size(), bytes.size())) {
      if (auto lent = peer.exchange.lend(value->attachments, references, peer.port); !lent) {
        if (process::would_block(lent.fault())) return false;
        // It may have been given the parcel with this, and would never know.
        if (!process::peer_gone(lent.fault())) condemn(peer, lent.fault());
        return true;
      }
      header.attachments = static_cast<std::uint16_t>(references.size());
    }
  }
  const bool has_all = told.value == nullptr || references.size() == told.value->attachments.size();
  WEFT_FAILURE_POINT("shared.answer.before");
  if (has_all && peer.port.send(header, references, bytes)) return true;
  if (!peer.port.out.corrupt()) return false;
  condemn(peer, "it consumed more of its ring than was written");
  return true;
}

bool PoolCore::owes_answers() const {
  return std::any_of(askers_.begin(), askers_.end(), [](const Peer* peer) {
    return peer->guest && SharedHome::get().has_answers(*peer->guest);
  });
}

/// It is dead: what it had passes on.
void PoolCore::bury_guest(Peer& peer) {
  std::erase(askers_, &peer);
  if (!peer.guest) return;
  SharedHome::get().bury(*peer.guest);
  after_.emplace_back([] { SharedHome::get().deliver(); });
  leave_slowly_ = true;
}

}  // namespace weft::work
