// What a task and its submitter say to each other while it runs: channels, progress.

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "work/pool_core.hpp"
#include "work/talk.hpp"

namespace weft::work {

using detail::Waited;

namespace {

Talk& talk_of(Call& call) {
  auto& talk = call.more().talk;
  if (!talk) talk = std::make_shared<Talk>();
  return *talk;
}

}  // namespace

// Of the Execution.

std::shared_ptr<detail::ChannelPort> PoolCore::open_channel(Call& call, const detail::ChannelName& name) {
  const Section section{*this};
  const ChannelId id = channel_id(call.id, name);
  Talk& talk = talk_of(call);
  const auto found = std::find_if(talk.ends.begin(), talk.ends.end(),
                                  [&](const auto& end) { return end->id().key == id.key; });
  if (found == talk.ends.end()) {
    const bool settled = call.phase == Phase::settled;
    auto end = std::make_shared<ParentEnd>(shared_from_this(), settled ? nullptr : &call, id, false);
    end->taken_ = true;
    if (settled) {
      end->cut();
      end->shut();
      end->tell_closed();  // nobody yet
    } else {
      call.watched = true;
    }
    return talk.ends.emplace_back(std::move(end));
  }
  ParentEnd& end = **found;
  if (end.taken_) {
    throw ArgumentError{name.key.empty()
                            ? "this channel of the task has been taken; further ones need a key each"
                            : "the channel \"" + std::string{name.key} +
                                  "\" of the task has been taken: a key names one channel"};
  }
  if (end.id().types != id.types) {
    end.shut(of_other_types());
    flush(end);
    std::rethrow_exception(of_other_types());
  }
  end.taken_ = true;
  return *found;
}

Progress PoolCore::progress(Call& call) {
  std::shared_ptr<ProgressNews> news;
  {
    const Section section{*this};
    if (call.phase == Phase::sent) static_cast<void>(drain(*call.peer));
    if (call.has_extra && call.extra()->talk) news = call.extra()->talk->progress;
  }
  return news ? news->latest() : Progress{};
}

void PoolCore::on_progress(Call& call, std::function<void(const Progress&)> callback) {
  std::shared_ptr<ProgressNews> news;
  {
    const Section section{*this};
    Talk& talk = talk_of(call);
    if (!talk.progress) talk.progress = std::make_shared<ProgressNews>();
    news = talk.progress;
  }
  news->on_progress(std::move(callback));
  news->tell();
}

// Of a ParentEnd.

ChannelEnd::Look ParentEnd::look() noexcept { return core_->look(*this) ? Look::something : Look::nothing; }

bool PoolCore::look(ParentEnd& end) noexcept {
  const Section section{*this};
  Call* const call = end.call_;
  if (call == nullptr) return false;
  bool any = false;
  for (int looks = 0; looks < 16 && !any && !lock_.contended(); ++looks) {
    if (end.call_ == nullptr || call->peer == nullptr) break;
    any = drain(*call->peer);
  }
  if (!any) return poll_locked();
  if (!queue_.empty()) refill();
  return true;
}

void ParentEnd::attach(fiber::Reactor& reactor) { core_->attach_to(reactor); }
void ParentEnd::detach(fiber::Reactor& reactor) noexcept { reactor.detach(*core_); }
std::uint64_t ParentEnd::spin_ns_max() const noexcept {
  // Relaxed: advice, any value does no harm.
  return core_->board_->spin_ns_max.load(base::relaxed);
}

Waited ParentEnd::transmit(const Outgoing& value) {
  const PoolCore::Section section{*core_};
  if (call_ == nullptr) return Waited::closed;
  if (call_->peer == nullptr)  // it waits in the queue
    return put(nullptr, value) == Put::closed ? Waited::closed : Waited::came;
  Peer& peer = *call_->peer;
  Line line{peer.port, peer.exchange};
  switch (put(&line, value)) {
    case Put::closed:
      return Waited::closed;
    case Put::kept:
      core_->flush(*this);  // later, if it is there that there is no room
      break;
    case Put::written:
      peer.port.ring_if_asleep();
      peer.port.out.prepare();
  }
  return Waited::came;
}

void ParentEnd::flush_soon() noexcept {
  const PoolCore::Section section{*core_};
  core_->flush(*this);
}

void PoolCore::flush(ParentEnd& end) noexcept {
  Call* const call = end.call_;
  if (call == nullptr || call->peer == nullptr) return;
  Peer& peer = *call->peer;
  ChannelEnd::Line line{peer.port, peer.exchange};
  const bool done = end.flush(line);
  if (line.wrote) peer.port.ring_if_asleep();
  if (done) return;
  peer.port.out.corrupt() ? condemn(peer, "it consumed more of its ring than was written") : flush_later(end);
}

/// The worker's ring is full: it is busy, so that it does not matter when.
void PoolCore::flush_later(ParentEnd& end) noexcept {
  if (std::exchange(end.retrying_, true)) return;
  Attendant::get().at(base::now_ns() + base::kFullRingNapNs, [weak = end.weak_from_this()] {
    const auto kept = weak.lock();
    if (!kept) return;
    PoolCore& core = *kept->core_;
    const Section section{core};
    kept->retrying_ = false;
    core.flush(*kept);
  });
}

// Of a worker.

void PoolCore::on_talk(Peer& peer, const wire::FrameHeader& header, std::span<const std::byte> body) {
  if (header.kind < wire::Kind::open || header.kind > wire::Kind::progress)
    return condemn(peer, "it published a frame of a kind that only a parent may");
  Call* const call = calls_.find(header.slot, header.generation);
  if (call == nullptr || call->peer != &peer)
    return condemn(peer, "it spoke for a task that it did not have");
  if (header.kind == wire::Kind::progress) return on_progress_frame(peer, *call, body);
  Talk& talk = talk_of(*call);
  const auto found = std::find_if(talk.ends.begin(), talk.ends.end(),
                                  [&](const auto& end) { return end->id().key == header.function; });
  if (header.kind == wire::Kind::open) {
    return on_open(peer, *call, header, found == talk.ends.end() ? nullptr : found->get());
  }
  if (found == talk.ends.end() || !(*found)->is_open())
    return condemn(peer, "it used a channel that it had not opened");
  ParentEnd& end = **found;
  if (header.kind == wire::Kind::channel) return on_channel_value(peer, end, header, body);
  if (header.kind == wire::Kind::credit) {
    std::uint64_t count = 0;
    if (body.size() == sizeof count) std::memcpy(&count, body.data(), sizeof count);
    if (!end.credit(count)) condemn(peer, "it gave more credit on a channel than it had used");
    return;
  }
  end.shut((header.flags & wire::kOfOtherTypes) != 0 ? of_other_types() : nullptr);
  after_.emplace_back([end = *found] { end->tell_closed(); });
  leave_slowly_ = true;
}

void PoolCore::on_open(Peer& peer, Call& call, const wire::FrameHeader& header, ParentEnd* end) {
  std::vector<std::shared_ptr<ParentEnd>>& ends = call.extra()->talk->ends;
  WEFT_FAILURE_POINT("channel.open.taken");
  const ChannelId id{call.id, header.function, header.deadline_ns};
  call.watched = true;
  if (end == nullptr) {
    const auto opened =
        std::count_if(ends.begin(), ends.end(), [](const auto& each) { return each->is_open(); });
    if (static_cast<std::size_t>(opened) >= base::kChannelsPerCallMax)
      return condemn(peer, "it opened more channels than a task may");
    ends.push_back(std::make_shared<ParentEnd>(shared_from_this(), &call, id, true));
    return;
  }
  if (end->is_open()) return condemn(peer, "it opened a channel twice");
  end->open(call.id);
  if (end->id().types != id.types) end->shut(of_other_types());
  flush(*end);
}

void PoolCore::on_channel_value(Peer& peer, ParentEnd& end, const wire::FrameHeader& header,
                                std::span<const std::byte> body) {
  std::vector<Buffer> attachments;
  if (header.attachments != 0) {
    const std::size_t bytes = header.attachments * sizeof(wire::BlockReference);
    if (header.attachments > link::kReferencesMax || body.size() < bytes)
      return condemn(peer, "a value of its on a channel ends among the blocks that it names");
    references_.resize(header.attachments);
    std::memcpy(references_.data(), body.data(), bytes);
    if (auto done = peer.exchange.borrow(references_, attachments); !done) return condemn(peer, done.fault());
    body = body.subspan(bytes);
  } else if ((header.flags & wire::kPayloadInBlock) != 0) {
    return condemn(peer, "a value of its on a channel lies in a block that it does not name");
  }
  if (!end.deliver(header, body, attachments))
    condemn(peer, "it sent more on a channel than it had credit for");
}

void PoolCore::on_progress_frame(Peer& peer, Call& call, std::span<const std::byte> body) {
  Progress latest;
  if (body.size() != sizeof latest.done + sizeof latest.total)
    return condemn(peer, "it told of progress at a length that cannot be");
  std::memcpy(&latest.done, body.data(), sizeof latest.done);
  std::memcpy(&latest.total, body.data() + sizeof latest.done, sizeof latest.total);
  Talk& talk = talk_of(call);
  if (!talk.progress) talk.progress = std::make_shared<ProgressNews>();
  talk.progress->note(latest);
  if (!talk.progress->anybody_listens()) return;
  after_.emplace_back([news = talk.progress] { news->tell(); });
  leave_slowly_ = true;
}

/// The call has settled: nothing more comes or goes. What has come can still be received.
void PoolCore::end_talk(Talk& talk) noexcept {
  if (talk.ends.empty()) return;
  for (const auto& end : talk.ends) {
    end->call_ = nullptr;
    end->cut();
    end->shut();
  }
  after_.emplace_back([ends = talk.ends] {
    for (const auto& end : ends) end->tell_closed();
  });
  leave_slowly_ = true;
}

/// Its worker says that the task has not run. If it opened a channel all the same, it lies, and the next worker must not
/// pay for that.
void PoolCore::forget_opened(Call& call) noexcept {
  Talk& talk = *call.extra()->talk;
  Talk opened;
  std::copy_if(talk.ends.begin(), talk.ends.end(), std::back_inserter(opened.ends),
               [](const auto& end) { return end->is_open(); });
  std::erase_if(talk.ends, [](const auto& end) { return end->is_open(); });
  end_talk(opened);
}

bool has_talked(const Call& call) noexcept {
  if (!call.has_extra || !call.extra()->talk) return false;
  const auto& ends = call.extra()->talk->ends;
  return std::any_of(ends.begin(), ends.end(), [](const auto& end) { return end->is_open(); });
}

// Progress.

void ProgressNews::on_progress(std::function<void(const Progress&)> callback) {
  const std::lock_guard lock{mutex_};
  callbacks_.push_back(std::make_shared<const std::function<void(const Progress&)>>(std::move(callback)));
}

void ProgressNews::note(const Progress& latest) {
  const std::lock_guard lock{mutex_};
  latest_ = latest;
  news_ = true;
}

Progress ProgressNews::latest() {
  const std::lock_guard lock{mutex_};
  return latest_;
}

bool ProgressNews::anybody_listens() {
  const std::lock_guard lock{mutex_};
  return !callbacks_.empty();
}

void ProgressNews::tell() {
  std::unique_lock lock{mutex_};
  if (telling_) return;  // whoever does tells this too
  telling_ = true;
  while (std::exchange(news_, false)) {
    const Progress latest = latest_;
    const auto callbacks = callbacks_;
    lock.unlock();
    run_callback([&] {
      for (const auto& each : callbacks) (*each)(latest);
    });
    lock.lock();
  }
  telling_ = false;
}

}  // namespace weft::work
