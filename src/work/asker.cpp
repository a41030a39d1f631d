#include "work/asker.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "base/limits.hpp"
#include "process/descriptors.hpp"
#include "work/worker_loop.hpp"

namespace weft::work {

namespace {

thread_local Asker* tls_asker = nullptr;
/// Whose parent is another process: that of the main thread.
base::Atomic<Asker*> process_asker{nullptr};

/// What a worker passes on for others leaves room for what its own tasks ask.
constexpr std::size_t kRelayedMax = base::kAsksMax / 2;

}  // namespace

struct Asker::Pending {
  Pending(Asker& asker_, std::uint64_t ticket_) : asker{asker_}, ticket{ticket_} {
    asker.pending_.emplace(ticket, this);
  }
  ~Pending() { asker.pending_.erase(ticket); }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

  Asker& asker;
  const std::uint64_t ticket;
  fiber::Waker waker;
  bool is_told = false;
  Told told;
};

Asker* Asker::current() noexcept { return tls_asker; }
void Asker::begin() noexcept {
  tls_asker = this;
  if (loop_.parts_.is_thread) return;
  // SYNC process-asker: the loop stands before it; and it stands before the look at has_orders_ (WorkerLoop::poll).
  process_asker.store(this, base::release);
  base::full_fence();
}

Told Asker::ask(std::uint64_t object, const Asked& asked) {
  if (pending_.size() + relayed_ >= base::kAsksMax) {
    throw Exhausted{"at most " + std::to_string(base::kAsksMax) +
                    " fibers of a worker wait for shared objects at once"};
  }
  if (has_courier_) pass_on();
  Pending self{*this, ++last_ticket_};
  send(object, self.ticket, asked);
  hurry(false);
  // At once, as the home is told, or told when: only who stands in a queue has to be fetched out of it.
  const bool may_wait = asked.deadline_ns != 0 && asked.operation != wire::Operation::pace;
  std::uint64_t deadline_ns = may_wait ? asked.deadline_ns : fiber::Reactor::kNever;
  while (!self.is_told) {
    self.waker = loop_.reactor_.waker();
    loop_.reactor_.suspend(deadline_ns);
    if (self.is_told || deadline_ns == fiber::Reactor::kNever || base::now_ns() < deadline_ns) continue;
    // Perhaps it has just been given: the answer tells, and nothing is lost.
    deadline_ns = fiber::Reactor::kNever;
    send(object, self.ticket, {wire::Operation::withdraw, 0, 0, {}, nullptr});
    hurry(false);
  }
  return std::move(self.told);
}

void Asker::tell(std::uint64_t object, const Asked& asked) {
  if (has_courier_) pass_on();
  send(object, 0, asked);
  // Others may wait for it, and this task may go on computing.
  hurry(true);
}

// For workers of this one.

base::Atomic<bool> Asker::has_orders_{false};

void Asker::tell_of_orders(bool first) noexcept {
  // Relaxed: the fence below orders it, and the orders themselves are under the home's lock.
  has_orders_.store(true, base::relaxed);
  if (!first) return;
  // SYNC process-asker: that there are some stands before the look whether somebody has to be woken for it.
  base::full_fence();
  const Asker* const asker = process_asker.load(base::acquire);
  const std::uint64_t one = 1;
  while (asker != nullptr && ::write(asker->loop_.parts_.bell.get(), &one, sizeof one) < 0 &&
         errno == EINTR) {
  }
}

void Asker::start_courier() {
  if (has_courier_ || loop_.parts_.is_thread) return;
  has_courier_ = true;
  loop_.ends_matter_ = true;
  loop_.spawn([this] { run_courier(); });
}

void Asker::run_courier() {
  // There may be no task of this worker now, for whose sake the parent reads the ring.
  for (;;) {
    const auto told = loop_.exchange_.write_control(wire::Asking{});
    if (told || !process::would_block(told.fault())) break;
    loop_.reactor_.sleep_until(base::now_ns() + base::kFullRingNapNs);
  }
  for (;;) {
    pass_on();
    const fiber::Waker waker = loop_.reactor_.waker();
    if (SharedHome::get().wait_for_orders(waker)) loop_.reactor_.suspend();
  }
}

void Asker::pass_on() noexcept {
  // Another fiber is at it, and finds the ring full.
  while (is_passing_on_) {
    if (!loop_.wait_for_room()) return;
  }
  if (!has_orders()) return;
  // Before they are taken: what comes afterwards is told of once more. Relaxed: the home's lock orders it with them.
  has_orders_.store(false, base::relaxed);
  std::vector<RelayOrder> orders = SharedHome::get().take_orders();
  if (orders.empty()) return;
  is_passing_on_ = true;
  bool at_once = false;
  for (RelayOrder& each : orders) {
    relay(each);
    at_once = at_once || each.asked.ticket == 0;
  }
  is_passing_on_ = false;
  hurry(at_once);
}

void Asker::relay(RelayOrder& order) noexcept {
  Asked& asked = order.asked;
  asked.key = order.key;
  const bool answered = asked.ticket != 0 && asked.operation != wire::Operation::withdraw;
  try {
    if (answered && relayed_ >= kRelayedMax) throw Exhausted{"too much is passed on"};
    send(asked.object, asked.ticket, asked);
    if (answered) ++relayed_;
  } catch (const Error&) {  // only what has an answer has something to be lent
    on_relayed(asked.ticket, {wire::Verdict::exhausted, false, 0, nullptr});
  }
}

void Asker::on_relayed(std::uint64_t ticket, Told told) noexcept {
  SharedHome& home = SharedHome::get();
  if (!home.relayed(ticket, std::move(told))) loop_.refuse("the parent answered what it was not asked");
  home.deliver();
}

// Frames.

void Asker::send(std::uint64_t object, std::uint64_t ticket, const Asked& asked) {
  wire::FrameHeader header;
  header.slot = static_cast<std::uint32_t>(ticket);
  header.generation = static_cast<std::uint32_t>(ticket >> 32);
  header.function = object;
  // 0 is for none on the wire: now or never is any time that has passed.
  header.deadline_ns =
      asked.deadline_ns == fiber::Reactor::kNever ? 0 : std::max<std::uint64_t>(asked.deadline_ns, 1);
  header.kind = wire::Kind::ask;
  std::array<std::byte, sizeof(wire::AskHead) + base::kInlineBytesMax> bytes;  // NOLINT(*-member-init)
  const wire::AskHead head{asked.operation, static_cast<std::uint32_t>(asked.count)};
  std::memcpy(bytes.data(), &head, sizeof head);
  std::span<const std::byte> rest = std::as_bytes(std::span{asked.key});
  std::vector<wire::BlockReference> references;
  if (asked.value) {
    header.encoding = static_cast<std::uint8_t>(asked.value->encoding);
    header.flags = asked.value->in_block ? wire::kPayloadInBlock : std::uint16_t{0};
    rest = asked.value->bytes;
    loop_.lend(asked.value->attachments, sizeof head + rest.size(), references);
    header.attachments = static_cast<std::uint16_t>(references.size());
  }
  if (!rest.empty()) std::memcpy(bytes.data() + sizeof head, rest.data(), rest.size());
  loop_.send(header, references, std::span{bytes}.first(sizeof head + rest.size()));
  WEFT_FAILURE_POINT("shared.ask.sent");
}

/// Who sleeps in the parent is woken. Who spins there finds the frame by himself; whether somebody does is not known: so
/// where this thread has nothing else to do it gives him a short spin's time, and rings before it sleeps
/// (WorkerLoop::arm).
void Asker::hurry(bool at_once) noexcept {
  link::FramePort& port = loop_.parts_.port;
  const doorbell::Word word = port.published();
  if (word.sleeps() || (word.mode() == doorbell::Mode::lazy && (at_once || loop_.reactor_.others_ready())))
    port.ring(word);
  port.out.prepare();
}

bool Asker::take_answers() noexcept {
  ring::Consumer& in = loop_.parts_.port.in;
  bool any = false;
  while (in.peek() == ring::Peek::frame && in.bytes() >= sizeof(wire::FrameHeader)) {
    const wire::FrameHeader header = wire::get(in.data());
    if (header.kind != wire::Kind::answer) break;
    on_answer(header, {in.data() + sizeof header, in.bytes() - sizeof header});
    any = true;
  }
  return any;
}

void Asker::on_answer(const wire::FrameHeader& header, std::span<const std::byte> body) {
  Told told;
  told.verdict = static_cast<wire::Verdict>(header.function & 0xff);
  told.abandoned = (header.function & wire::kAbandoned) != 0;
  told.turn_ns = header.deadline_ns;
  auto value = std::make_shared<detail::SharedValue>();
  value->encoding = static_cast<Encoding>(header.encoding);
  value->in_block = (header.flags & wire::kPayloadInBlock) != 0;
  if (header.attachments != 0) {
    const std::size_t bytes = header.attachments * sizeof(wire::BlockReference);
    if (body.size() < bytes) loop_.refuse("an answer ends among its references");
    const auto* const first = reinterpret_cast<const wire::BlockReference*>(body.data());
    if (auto done = loop_.exchange_.borrow({first, header.attachments}, value->attachments); !done)
      loop_.refuse(done.fault().message.c_str());
    body = body.subspan(bytes);
  } else if (value->in_block) {
    loop_.refuse("an answer lies in a block that it does not name");
  }
  value->bytes.assign(body.begin(), body.end());
  told.value = std::move(value);
  WEFT_FAILURE_POINT("shared.answer.read");
  // Nothing is claimed here: a claim without a full fence after it would let the next frame be taken back and run.
  loop_.parts_.port.in.release();
  const std::uint64_t ticket = wire::call_id(header);
  if (wire::is_relayed(ticket)) {
    if (relayed_ == 0) loop_.refuse("the parent answered what it was not asked");
    --relayed_;
    return on_relayed(ticket, std::move(told));
  }
  const auto found = pending_.find(ticket);
  if (found == pending_.end() || found->second->is_told)
    loop_.refuse("the parent answered what it was not asked");
  Pending& pending = *found->second;
  pending.told = std::move(told);
  pending.is_told = true;
  pending.waker.wake();
}

}  // namespace weft::work
