#include "work/channel_end.hpp"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <weft/error.hpp>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "process/descriptors.hpp"
#include "process/forked.hpp"
#include "sync/inherited_deadline.hpp"
#include "work/faults.hpp"
#include "work/initialized.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

using detail::Waited;

ChannelId channel_id(std::uint64_t call, const detail::ChannelName& name) noexcept {
  return {call, detail::hash_text(name.key), detail::hash_text(name.types)};
}

std::exception_ptr of_other_types() {
  return std::make_exception_ptr(ArgumentError{
      "the two ends of this channel are of different types: what one sends, the other must receive"});
}

// Sending.

Waited ChannelEnd::send(const detail::Payload& payload, std::uint64_t deadline_ns) {
  require_unforked();
  Outgoing value{payload.encoding, false, payload.bytes, payload.attachments};
  // A payload that does not fit a frame goes into a block before anything else, so that nothing has to be undone.
  std::vector<Buffer> with_block;
  if (payload.bytes.size() > base::kInlineBytesMax) {
    with_block.push_back(Buffer::copy_of(payload.bytes));
    with_block.insert(with_block.end(), payload.attachments.begin(), payload.attachments.end());
    value = {payload.encoding, true, {}, with_block};
  }
  if (value.attachments.size() > link::kReferencesMax) {
    throw EncodingError{"a value holds " + std::to_string(payload.attachments.size()) + " buffers; at most " +
                        std::to_string(link::kReferencesMax) +
                        " travel at once: put them into one buffer, or send several values"};
  }
  {
    std::unique_lock lock{mutex_};
    // Where it is closed no credit is worth anything.
    const Waited waited = closed_ ? Waited::closed : take(credit_, lock, deadline_ns);
    if (waited == Waited::closed) return why_closed(waited);
    if (waited != Waited::came) return waited;
  }
  const auto give_back = [this] {
    const std::lock_guard lock{mutex_};
    credit_.give(1);
  };
  try {
    const Waited done = transmit(value);
    if (done == Waited::came) return done;
    give_back();
    const std::lock_guard lock{mutex_};
    return why_closed(done);
  } catch (...) {
    give_back();
    throw;
  }
}

ChannelEnd::Put ChannelEnd::put(Line* line, const Outgoing& value) {
  const std::lock_guard lock{mutex_};
  if (closed_) return Put::closed;
  if (line != nullptr && is_open_ && outbox_.empty()) {
    auto written = write(*line, value);
    if (!written) throw_fault(written.fault());
    if (*written) return Put::written;
  }
  outbox_.push_back({value.encoding,
                     value.in_block,
                     {value.bytes.begin(), value.bytes.end()},
                     {value.attachments.begin(), value.attachments.end()}});
  return Put::kept;
}

base::Result<bool> ChannelEnd::write(Line& line, const Outgoing& value) {
  wire::FrameHeader header;
  header.slot = static_cast<std::uint32_t>(id_.call);
  header.generation = static_cast<std::uint32_t>(id_.call >> 32);
  header.function = id_.key;
  header.kind = wire::Kind::channel;
  header.encoding = static_cast<std::uint8_t>(value.encoding);
  header.flags = value.in_block ? wire::kPayloadInBlock : std::uint16_t{0};
  if (value.attachments.empty()) [[likely]] {
    if (!line.port.send(header, {}, value.bytes)) return false;
  } else {
    std::vector<wire::BlockReference> references;
    if (!line.port.has_room(value.attachments.size(), value.bytes.size())) return false;
    if (auto lent = line.exchange.lend(value.attachments, references, line.port); !lent) {
      if (process::would_block(lent.fault())) return false;
      return lent.fault();
    }
    header.attachments = static_cast<std::uint16_t>(references.size());
    WEFT_CHECK(line.port.send(header, references, value.bytes), "there was room for the frame");
  }
  ++unconfirmed_;
  line.wrote = true;
  WEFT_FAILURE_POINT("channel.value.written");
  return true;
}

bool ChannelEnd::write_note(Line& line, wire::Kind kind, std::uint16_t flags,
                            std::span<const std::byte> payload) {
  wire::FrameHeader header;
  header.slot = static_cast<std::uint32_t>(id_.call);
  header.generation = static_cast<std::uint32_t>(id_.call >> 32);
  header.function = id_.key;
  header.kind = kind;
  header.flags = flags;
  if (!line.port.send(header, {}, payload)) return false;
  line.wrote = true;
  WEFT_FAILURE_POINT("channel.note.written");
  return true;
}

bool ChannelEnd::flush(Line& line) {
  const std::lock_guard lock{mutex_};
  if (!is_open_ || is_cut_) return true;
  while (!outbox_.empty()) {
    const Kept& kept = outbox_.front();
    auto written = write(line, {kept.encoding, kept.in_block, kept.bytes, kept.attachments});
    if (!written) {
      // It was taken for sent, so nobody is left to be told but whoever uses the channel next.
      outbox_.clear();
      why_ = error_of(written.fault());
      closed_ = close_due_ = true;
      credit_.shut();
      values_.shut();
      changed();
      break;
    }
    if (!*written) return false;
    outbox_.pop_front();
  }
  if (owed_ >= base::kChannelCredit / 2 && !closed_) {
    if (!write_note(line, wire::Kind::credit, 0, std::as_bytes(std::span{&owed_, 1}))) return false;
    may_come_ += std::exchange(owed_, 0);
  }
  if (close_due_) {
    if (!write_note(line, wire::Kind::close, why_ ? wire::kOfOtherTypes : std::uint16_t{0}, {})) return false;
    close_due_ = false;
  }
  return true;
}

// Receiving.

Waited ChannelEnd::receive(detail::Arrival& arrival, std::uint64_t deadline_ns) {
  require_unforked();
  bool due = false;
  {
    std::unique_lock lock{mutex_};
    if (const Waited waited = take(values_, lock, deadline_ns); waited != Waited::came)
      return why_closed(waited);
    detail::Arrival& next = inbox_[first_];
    first_ = (first_ + 1) % base::kChannelCredit;
    --count_;
    arrival.encoding = next.encoding;
    arrival.in_block = next.in_block;
    arrival.bytes = next.bytes;
    if (next.bytes <= next.few.size()) {
      std::memcpy(arrival.few.data(), next.few.data(), next.bytes);
    } else {
      arrival.many.swap(next.many);
    }
    if (!next.attachments.empty()) arrival.attachments = std::move(next.attachments);
    due = ++owed_ >= base::kChannelCredit / 2;
  }
  if (due) flush_soon();
  if (arrival.in_block && arrival.encoding == Encoding::values) {
    // Values are verified as a whole and then read, so they must not change in between: a private copy, once.
    const std::span<const std::byte> bytes = arrival.attachments.front().bytes();
    arrival.many.assign(bytes.begin(), bytes.end());
    arrival.bytes = static_cast<std::uint32_t>(bytes.size());
    if (bytes.size() <= arrival.few.size())
      std::memcpy(arrival.few.data(), arrival.many.data(), bytes.size());
    arrival.attachments.erase(arrival.attachments.begin());
    arrival.in_block = false;
  }
  return Waited::came;
}

bool ChannelEnd::deliver(const wire::FrameHeader& header, std::span<const std::byte> bytes,
                         std::vector<Buffer>& attachments) {
  const std::lock_guard lock{mutex_};
  if (may_come_ == 0) return false;
  WEFT_FAILURE_POINT("channel.value.delivered");
  --may_come_;
  if (!inbox_) inbox_ = std::make_unique<detail::Arrival[]>(base::kChannelCredit);
  detail::Arrival& place = inbox_[(first_ + count_) % base::kChannelCredit];
  ++count_;
  place.encoding = static_cast<Encoding>(header.encoding);
  place.in_block = (header.flags & wire::kPayloadInBlock) != 0;
  place.bytes = static_cast<std::uint32_t>(bytes.size());
  if (bytes.size() <= place.few.size()) {
    if (!bytes.empty()) std::memcpy(place.few.data(), bytes.data(), bytes.size());
  } else {
    place.many.assign(bytes.begin(), bytes.end());
  }
  place.attachments.swap(attachments);
  attachments.clear();
  values_.give(1);
  changed();
  return true;
}

bool ChannelEnd::credit(std::uint64_t count) {
  const std::lock_guard lock{mutex_};
  if (count == 0 || count > unconfirmed_) return false;
  unconfirmed_ -= count;
  credit_.give(count);
  changed();
  return true;
}

bool ChannelEnd::is_open() {
  const std::lock_guard lock{mutex_};
  return is_open_;
}

void ChannelEnd::open(std::uint64_t call) {
  const std::lock_guard lock{mutex_};
  id_.call = call;
  is_open_ = true;
}

// Waiting.

Waited ChannelEnd::take(detail::Gate& gate, std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) {
  if (gate.try_take(1)) return Waited::came;
  if (!is_cut_) {
    lock.unlock();
    static_cast<void>(look());
    lock.lock();
    if (gate.try_take(1)) return Waited::came;
  }
  if (closed_) return Waited::closed;
  const sync::TaskLimit limit{deadline_ns};
  return limit.ended(wait(gate, lock, limit.deadline_ns()));
}

/// take(), where it has not come yet.
Waited ChannelEnd::wait(detail::Gate& gate, std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) {
  if (deadline_ns != detail::kNever && base::now_ns() >= deadline_ns) return Waited::timed_out;
  require_may_wait();
  fiber::Reactor* const reactor = fiber::Reactor::try_current();
  if (reactor == nullptr) return Waited::exhausted;
  lock.unlock();
  reactor->set_spin_limit(spin_ns_max());
  const bool came = spin(gate, *reactor, deadline_ns);
  if (came) {
    lock.lock();
    return Waited::came;
  }
  attach(*reactor);
  lock.lock();
  const Waited waited = gate.take(lock, 1, deadline_ns);
  lock.unlock();
  detach(*reactor);
  lock.lock();
  return waited;
}

/// True if it took what was waited for. Ends early, too, where that will never come.
bool ChannelEnd::spin(detail::Gate& gate, fiber::Reactor& reactor, std::uint64_t deadline_ns) {
  const std::uint64_t budget = reactor.spin_ticks();
  const std::uint64_t alone = base::ticks_per_us() * base::kSpinAloneUs;
  const std::uint64_t begin = base::ticks();
  // Relaxed, here and below: a number that changes; what it stands for is under the lock.
  std::uint32_t seen = changes_.load(base::relaxed) - 1;
  for (std::uint64_t now = begin; now - begin < budget && !reactor.others_ready(); now = base::ticks()) {
    for (int looks = 0; looks < 16; ++looks) {
      if (look() == Look::elsewhere) return false;
      const std::uint32_t changes = changes_.load(base::relaxed);  // relaxed: as above
      if (changes == seen) continue;
      seen = changes;
      const std::lock_guard lock{mutex_};
      if (gate.try_take(1)) {
        reactor.spun(true);
        return true;
      }
      if (closed_) return false;
    }
    if (now - begin > alone) ::sched_yield();
    if (deadline_ns != detail::kNever && base::now_ns() >= deadline_ns) return false;
  }
  return false;
}

Waited ChannelEnd::why_closed(Waited waited) {
  if (waited == Waited::closed && why_) std::rethrow_exception(why_);
  return waited;
}

bool ChannelEnd::ready() {
  require_unforked();
  static_cast<void>(look());
  const std::lock_guard lock{mutex_};
  return readable();
}

bool ChannelEnd::watch(const fiber::Waker& waker) {
  require_may_wait();
  fiber::Reactor& reactor = own_reactor();
  attach(reactor);
  std::unique_lock lock{mutex_};
  if (readable()) {
    lock.unlock();
    detach(reactor);
    return false;
  }
  watchers_.push_back(&waker);
  return true;
}

void ChannelEnd::unwatch(const fiber::Waker& waker) noexcept {
  {
    const std::lock_guard lock{mutex_};
    watchers_.erase(std::find(watchers_.begin(), watchers_.end(), &waker));
  }
  detach(fiber::Reactor::current());
}

void ChannelEnd::changed() noexcept {
  // Relaxed: a hint.
  changes_.store(changes_.load(base::relaxed) + 1, base::relaxed);
  if (!readable()) return;
  for (const fiber::Waker* const waker : watchers_) waker->wake();
}

// The end.

bool ChannelEnd::is_closed() noexcept {
  const std::lock_guard lock{mutex_};
  return closed_;
}

void ChannelEnd::close() noexcept {
  if (process::in_forked_child()) return;  // it is the parent's
  {
    const std::lock_guard lock{mutex_};
    if (closed_) return;
    close_due_ = true;
  }
  shut();
  flush_soon();
  tell_closed();
}

void ChannelEnd::shut(std::exception_ptr why) noexcept {
  const std::lock_guard lock{mutex_};
  if (closed_) return;
  closed_ = true;
  if (why) {
    why_ = std::move(why);
    close_due_ = true;
  }
  credit_.shut();
  values_.shut();
  changed();
}

void ChannelEnd::cut() noexcept {
  const std::lock_guard lock{mutex_};
  is_cut_ = true;
  outbox_.clear();
}

}  // namespace weft::work
