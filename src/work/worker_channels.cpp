#include "work/worker_channels.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "work/worker_loop.hpp"

namespace weft::work {

using detail::Waited;

namespace {

/// Of the worker whose thread this is.
thread_local const WorkerChannels* own_channels = nullptr;

std::uint64_t progress_ticks() noexcept {
  static const std::uint64_t ticks = base::ticks_per_us() * base::kProgressUs;
  return ticks;
}

}  // namespace

// Of a task's end.

ChannelEnd::Look WorkerEnd::look() noexcept {
  return channels_->here() ? channels_->loop().take_channel_frames() : Look::elsewhere;
}

std::uint64_t WorkerEnd::spin_ns_max() const noexcept {
  return channels_->here() ? channels_->loop().spin_ns_max() : base::kSpinNsMax;
}

Waited WorkerEnd::transmit(const Outgoing& value) {
  if (!channels_->here()) {
    if (put(nullptr, value) == Put::closed) return Waited::closed;
    channels_->hand_over(shared_from_this());
    return Waited::came;
  }
  if (channels_->loop().asker_.has_courier()) channels_->loop().asker_.pass_on();
  Line line = channels_->loop().line();
  switch (put(&line, value)) {
    case Put::closed:
      return Waited::closed;
    case Put::written:
      channels_->loop().after_channel_frame();
      break;
    case Put::kept:
      channels_->flush(*this);
  }
  return Waited::came;
}

void WorkerEnd::flush_soon() noexcept {
  channels_->here() ? channels_->flush(*this) : channels_->hand_over(shared_from_this());
}

// Of the worker.

WorkerChannels::WorkerChannels(WorkerLoop& loop) : loop_{loop} { own_channels = this; }

bool WorkerChannels::here() const noexcept { return own_channels == this; }

void WorkerChannels::part() noexcept {
  own_channels = nullptr;
  decltype(due_) due;  // let go of without the lock
  {
    const std::lock_guard lock{mutex_};
    parted_ = true;
    due.swap(due_);
    courier_.wake();
  }
  std::vector<std::shared_ptr<WorkerEnd>> ends;
  for (const auto& [call, talk] : talks_) ends.insert(ends.end(), talk.ends.begin(), talk.ends.end());
  for (const auto& end : ends) {
    end->shut();
    end->cut();
    end->tell_closed();
  }
}

WorkerChannels::Talk& WorkerChannels::talk_of(std::uint64_t call) {
  if (last_ == nullptr || last_call_ != call) {
    last_ = &talks_[call];
    last_call_ = call;
  }
  return *last_;
}

std::shared_ptr<WorkerEnd> WorkerChannels::open(std::uint64_t call, const detail::ChannelName& name) {
  const ChannelId id = channel_id(call, name);
  std::vector<std::shared_ptr<WorkerEnd>>& ends = talk_of(call).ends;
  if (std::any_of(ends.begin(), ends.end(), [&](const auto& end) { return end->id().key == id.key; })) {
    throw ArgumentError{name.key.empty()
                            ? "the task has taken its channel before; further ones need a key each"
                            : "the task has taken the channel \"" + std::string{name.key} +
                                  "\" before: a key names one channel"};
  }
  if (ends.size() >= base::kChannelsPerCallMax) {
    throw ArgumentError{"a task can take " + std::to_string(base::kChannelsPerCallMax) +
                        " channels at the most"};
  }
  auto end = std::make_shared<WorkerEnd>(shared_from_this(), id);
  ends.push_back(end);
  if (parted_) {
    end->shut();
    end->cut();
    return end;
  }
  if (!std::exchange(has_courier_, true)) loop_.spawn([this] { run_courier(); });
  wire::FrameHeader header;
  header.slot = static_cast<std::uint32_t>(call);
  header.generation = static_cast<std::uint32_t>(call >> 32);
  header.function = id.key;
  header.deadline_ns = id.types;
  header.kind = wire::Kind::open;
  loop_.send(header, {}, {});
  WEFT_FAILURE_POINT("channel.open.sent");
  loop_.after_channel_frame();
  return end;
}

bool WorkerChannels::on_frame(const wire::FrameHeader& header, std::span<const std::byte> body,
                              std::vector<Buffer>& attachments) {
  // The task may have ended while this was on its way: then nobody wants it.
  const auto talk = talks_.find(wire::call_id(header));
  if (talk == talks_.end()) return true;
  const auto& ends = talk->second.ends;
  const auto found = std::find_if(ends.begin(), ends.end(),
                                  [&](const auto& end) { return end->id().key == header.function; });
  if (found == ends.end()) return false;
  WorkerEnd& end = **found;
  switch (header.kind) {
    case wire::Kind::channel:
      return end.deliver(header, body, attachments);
    case wire::Kind::credit: {
      std::uint64_t count = 0;
      if (body.size() == sizeof count) std::memcpy(&count, body.data(), sizeof count);
      return end.credit(count);
    }
    default: {
      const auto kept = *found;  // a callback may end the task
      kept->shut((header.flags & wire::kOfOtherTypes) != 0 ? of_other_types() : nullptr);
      kept->tell_closed();
      return true;
    }
  }
}

void WorkerChannels::tell(std::uint64_t call, const Progress& progress) {
  Talk& talk = talk_of(call);
  loop_.ends_matter_ = true;
  talk.progress = progress;
  if (!std::exchange(talk.untold, true)) ++untold_;
  if (base::ticks() - talk.told_ticks >= progress_ticks()) tell_now(call, talk);
}

void WorkerChannels::tell_now(std::uint64_t call, Talk& talk) {
  wire::FrameHeader header;
  header.slot = static_cast<std::uint32_t>(call);
  header.generation = static_cast<std::uint32_t>(call >> 32);
  header.kind = wire::Kind::progress;
  const std::array<std::uint64_t, 2> words{talk.progress.done, talk.progress.total};
  // Where there is no room the next one will do.
  if (!loop_.parts_.port.send(header, {}, std::as_bytes(std::span{words}))) return;
  if (std::exchange(talk.untold, false)) --untold_;
  talk.told_ticks = base::ticks();
  loop_.after_channel_frame();
}

void WorkerChannels::tell_held_back() {
  if (untold_ == 0) return;
  for (auto& [call, talk] : talks_) {
    if (talk.untold) tell_now(call, talk);
  }
}

void WorkerChannels::end(std::uint64_t call) {
  const auto found = talks_.find(call);
  if (found == talks_.end()) return;
  Talk& talk = found->second;  // stays where it is while this waits for room, and frames come in for it
  for (std::size_t i = 0; i < talk.ends.size(); ++i) {
    const auto end = talk.ends[i];
    end->shut();
    ChannelEnd::Line line = loop_.line();
    while (!end->flush(line) && loop_.wait_for_room()) {
    }
    end->cut();
    end->tell_closed();
  }
  while (talk.untold) {
    tell_now(call, talk);
    if (talk.untold && !loop_.wait_for_room()) break;
  }
  if (talk.untold) --untold_;
  talks_.erase(call);
  last_ = nullptr;
}

// What could not be written at once.

void WorkerChannels::flush(WorkerEnd& end) noexcept {
  ChannelEnd::Line line = loop_.line();
  const bool done = end.flush(line);
  if (line.wrote) loop_.after_channel_frame();
  if (!done) hand_over(end.shared_from_this());
}

void WorkerChannels::hand_over(std::shared_ptr<WorkerEnd> end) noexcept {
  const std::lock_guard lock{mutex_};
  if (parted_) return;
  due_.push_back(std::move(end));
  courier_.wake();
}

void WorkerChannels::run_courier() {
  for (;;) {
    const fiber::Waker waker = loop_.reactor_.waker();
    {
      const std::lock_guard lock{mutex_};
      courier_ = waker;
      if (!due_.empty() || parted_) courier_.wake();
    }
    loop_.reactor_.suspend();
    if (parted_) return;
    std::vector<std::shared_ptr<WorkerEnd>> due;
    {
      const std::lock_guard lock{mutex_};
      courier_ = {};
      due.swap(due_);
    }
    for (const auto& end : due) {
      ChannelEnd::Line line = loop_.line();
      while (!end->flush(line) && loop_.wait_for_room()) {
      }
      if (line.wrote) loop_.after_channel_frame();
    }
  }
}

// Of the loop.

void WorkerLoop::before_reply(const wire::FrameHeader& task) {
  if (asker_.has_courier()) asker_.pass_on();
  if (channels_) {
    channels_->end(wire::call_id(task));
    ends_matter_ = parts_.output.active() || channels_->any() || asker_.has_courier();
  }
  if (parts_.output.active()) parts_.output.end(wire::call_id(task));
}

WorkerChannels& WorkerLoop::channels() {
  if (!channels_) channels_ = std::make_shared<WorkerChannels>(*this);
  ends_matter_ = true;
  return *channels_;
}

ChannelEnd::Look WorkerLoop::take_channel_frames() noexcept {
  if (leader_ == Leader::looking || leader_ == Leader::called) return ChannelEnd::Look::elsewhere;
  ring::Consumer& in = parts_.port.in;
  bool any = false;
  for (;;) {
    const ring::Peek found = in.peek();
    if (found == ring::Peek::none) break;
    if (found == ring::Peek::corrupt || in.bytes() < sizeof(wire::FrameHeader))
      return ChannelEnd::Look::elsewhere;
    const wire::FrameHeader header = wire::get(in.data());
    // A task is for the fiber that leads.
    if (header.kind < wire::Kind::channel || header.kind > wire::Kind::close)
      return any ? ChannelEnd::Look::something : ChannelEnd::Look::elsewhere;
    on_channel_frame(header, {in.data() + sizeof header, in.bytes() - sizeof header});
    in.release();
    any = true;
  }
  if (!any) return ChannelEnd::Look::nothing;
  if (exchange_.returns_waiting() >= base::kReturnsBatch && exchange_.flush_returns(parts_.port))
    parts_.port.ring_if_asleep();
  return ChannelEnd::Look::something;
}

void WorkerLoop::on_channel_frame(const wire::FrameHeader& header, std::span<const std::byte> body) {
  if (header.kind < wire::Kind::channel || header.kind > wire::Kind::close)
    refuse("the parent published a frame of a kind that a worker does not take");
  std::vector<Buffer> attachments;
  if (header.attachments != 0) {
    if (body.size() < header.attachments * sizeof(wire::BlockReference))
      refuse("a frame ends among its references");
    const auto* const first = reinterpret_cast<const wire::BlockReference*>(body.data());
    if (auto done = exchange_.borrow({first, header.attachments}, attachments); !done)
      return fail(done.fault());
    body = body.subspan(header.attachments * sizeof(wire::BlockReference));
  }
  if (channels_ && !channels_->on_frame(header, body, attachments))
    refuse("the parent sent on a channel what it may not");
}

/// Whoever waits for it is told at once; where nobody does, somebody is if what came before has not been read for a while.
void WorkerLoop::after_channel_frame() noexcept {
  const doorbell::Word word = parts_.port.published();
  parts_.port.out.prepare();
  if (word.sleeps()) return parts_.port.ring(word);
  ring_if_old(word, base::ticks(), old_ticks_);
}

}  // namespace weft::work
