#include "work/worker_loop.hpp"

#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <weft/trace_file.hpp>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "base/limits.hpp"
#include "base/prefetch.hpp"
#include "process/allowance.hpp"
#include "process/descriptors.hpp"
#include "ring/take_back.hpp"
#include "wire/failure.hpp"
#include "work/faults.hpp"
#include "work/running_task.hpp"
#include "work/throw_trace.hpp"

namespace weft::work {

namespace {

/// The bell of the worker is its only one, so any number tells it from none.
constexpr std::uint64_t kWorkerBellId = 1;
/// Exit code of a worker that does not understand its parent.
constexpr int kRefused = 120;

/// What it takes to tell of an exception, and then some.
constexpr std::size_t kReserveBytes = 256 * 1024;

}  // namespace

WorkerLoop::WorkerLoop(Parts parts)
    : parts_{std::move(parts)},
      exchange_{std::move(parts_.control)},
      reactor_{fiber::Reactor::current()},
      sleeper_{&parts_.port.own->parked},
      stop_watch_{*parts_.stop_log, parts_.port.own->stops_seen},
      ends_matter_{parts_.output.active()},
      short_ticks_{base::ticks_per_us()},
      old_ticks_{base::ticks_per_us() * base::kReplyOldUs},
      old_ticks_patient_{base::ticks_per_us() * base::kReplyOldPatientUs},
      tick_ns_{(std::uint64_t{1000} << kNsShift) / base::ticks_per_us()} {}

void WorkerLoop::run() {
  keep_reserve();
  asker_.begin();
  reactor_.attach(*this, parts_.bell.get(), kWorkerBellId);
  spawn([this] { watch_control(); });
  serve();
  while (fibers_ != 0) {
    last_waker_ = reactor_.waker();
    reactor_.suspend();
  }
}

void WorkerLoop::spawn(std::function<void()> body) {
  ++fibers_;
  reactor_.spawn(
      [this, body = std::move(body)] {
        body();
        if (--fibers_ == 0) last_waker_.wake();
      },
      base::kTaskStackBytes);
}

void WorkerLoop::serve() {
  while (!left_) {
    lead();
    if (left_) return;
    // Another fiber has taken the ring over while a task of this one was suspended.
    const fiber::Waker waker = reactor_.waker();
    followers_.push_back(waker);
    reactor_.suspend();
  }
}

void WorkerLoop::lead() {
  const std::uint64_t epoch = ++leader_epoch_;
  leader_ = Leader::looking;
  timed_ = done_;  // what was done before may have been followed by a sleep
  last_ticks_ = base::ticks();
  while (leader_epoch_ == epoch) {
    switch (parts_.port.in.peek()) {
      case ring::Peek::frame:
        on_frame();
        if (leader_epoch_ == epoch) {
          leader_ = Leader::looking;
        } else if (!left_) {
          untell_time();  // of the task that was suspended
        }
        break;
      case ring::Peek::none:
        idle();
        break;
      case ring::Peek::corrupt:
        refuse("the parent published a frame of a length that cannot be");
    }
  }
}

void WorkerLoop::on_frame() {
  ring::Consumer& in = parts_.port.in;
  // A short task is done in the time that it takes to get the answer's line from the parent.
  if (in.bytes() <= base::kLineBytes) base::prefetch_for_writing(parts_.port.out.head_line());
  if (in.bytes() < sizeof(wire::FrameHeader)) refuse("the parent published a frame without a header");
  const wire::FrameHeader header = wire::get(in.data());
  const std::span<const std::byte> body{in.data() + sizeof header, in.bytes() - sizeof header};
  switch (header.kind) {
    case wire::Kind::task:
      on_task(header, body);
      return;
    case wire::Kind::release:
      if (!exchange_.on_release(body)) refuse("the parent gave back a block that it was not lent");
      // Nothing is claimed here: a claim without a full fence after it would let the next frame be taken back and run.
      in.release();
      return;
    case wire::Kind::answer:
      return asker_.on_answer(header, body);
    default:
      on_channel_frame(header, body);
      in.release();
      return;
  }
}

void WorkerLoop::on_task(const wire::FrameHeader& header, std::span<const std::byte> body) {
  ring::Consumer& in = parts_.port.in;
  if (!ring::begin(*parts_.port.own, in)) [[unlikely]] {
    wire::FrameHeader returned;
    returned.slot = header.slot;
    returned.generation = header.generation;
    returned.kind = wire::Kind::returned;
    // Answered before it is released: until it has the answer, the parent looks for the frame in its ring.
    if (header.attachments != 0 && body.size() >= header.attachments * sizeof(wire::BlockReference)) {
      const auto* const first = reinterpret_cast<const wire::BlockReference*>(body.data());
      exchange_.discard({first, header.attachments});
    }
    WEFT_FAILURE_POINT("worker.returned.before");
    send(returned, {}, {});
    in.release();
    after_reply();
    return;
  }
  if (parts_.port.in.bytes() > base::kLineBytes) parts_.port.out.warm();
  if (parts_.output.active()) [[unlikely]]
    parts_.output.begin(wire::call_id(header));
  process::set_activity(*parts_.black_box, header.function, header.slot, header.flags);
  std::vector<Buffer> attachments;
  if (header.attachments != 0) [[unlikely]] {
    if (body.size() < header.attachments * sizeof(wire::BlockReference))
      refuse("a frame ends among its references");
    const auto* const first = reinterpret_cast<const wire::BlockReference*>(body.data());
    if (auto done = exchange_.borrow({first, header.attachments}, attachments); !done) {
      if (done.fault().kind == base::Fault::Kind::exhausted) return give_up(header, done.fault());
      refuse(done.fault().message.c_str());
    }
    body = body.subspan(header.attachments * sizeof(wire::BlockReference));
  }
  RunningTask task{*this, header, attachments, body};
  leader_ = Leader::in_task;
  ++begun_;
  WEFT_FAILURE_POINT("worker.task.before_run");
  std::exception_ptr failed;
  try {
    task.run();
  } catch (const ThrowProbe&) {  // notes where it was thrown, and leaves it to the next
  } catch (...) {
    fiber::pass_forced_unwind();
    reserve_.reset();
    failed = std::current_exception();
    thrown_ = thrown_at(failed);
  }
  task.decoded();  // where the arguments could not be decoded
  if (failed) {
    task.send_failure(failed, std::exchange(thrown_, {}));
    failed = nullptr;
    keep_reserve();
  }
  attachments.clear();
  ++done_;
  after_reply();
  if (leaving_) [[unlikely]]
    leave_if_done();
}

void WorkerLoop::leave_if_done() noexcept {
  if (has_running() || parts_.port.in.peek() != ring::Peek::none) return;
  parts_.store->clear();
  leave(0);
}

void WorkerLoop::keep_reserve() noexcept {
  static const bool is_limited = !process::memory_limit().empty();
  if (is_limited && !reserve_) reserve_.reset(new (std::nothrow) std::byte[kReserveBytes]);
}

bool WorkerLoop::wait_for_room() {
  if (left_) return false;
  if (parts_.port.out.corrupt()) refuse("the parent consumed more than was written");
  // The parent has not read for a whole ring: whatever it said, it wants to know now.
  parts_.port.ring(parts_.port.look());
  reactor_.sleep_until(base::now_ns() + base::kFullRingNapNs);
  return true;
}

void WorkerLoop::lend(std::span<const Buffer> buffers, std::size_t payload,
                      std::vector<wire::BlockReference>& references) {
  for (;;) {
    // Of too many no frame has to have room.
    if (buffers.size() > link::kReferencesMax || parts_.port.has_room(buffers.size(), payload)) {
      const auto lent = exchange_.lend(buffers, references, parts_.port);
      if (lent) return;
      if (!process::would_block(lent.fault())) throw_fault(lent.fault());
    }
    if (!wait_for_room()) throw Closed{"nobody waits for this task any more"};
  }
}

void WorkerLoop::after_reply() noexcept {
  ring::LaneCounters& own = *parts_.port.own;
  ring::claim(own, parts_.port.in.position());
  // One full fence serves the doorbell and the claim.
  const doorbell::Word word = parts_.port.published();
  if (word.mode() == doorbell::Mode::urgent) [[unlikely]]
    parts_.port.ring(word);
  parts_.port.out.prepare();
  // The clock costs as much as an empty task: while tasks are short it is read for eight of them together.
  const std::uint64_t untimed = done_ - timed_;
  if (task_ticks_ != 0 && task_ticks_ < short_ticks_ && untimed < 8) return;
  const std::uint64_t took = tell_times(base::ticks());
  task_ticks_ = task_ticks_ == 0 ? took : task_ticks_ - task_ticks_ / 4 + took / 4;
  // Relaxed: advice.
  own.task_ticks.store(task_ticks_ | 1, base::relaxed);
  tell_done();
  if (took > old_ticks_) [[unlikely]] {
    if (word.can_wait()) word.mode() == doorbell::Mode::lazy ? ring_if_unread() : ring_if_behind();
  } else if (word.mode() == doorbell::Mode::patient) [[unlikely]] {
    ring_if_old(word, last_ticks_, old_ticks_patient_);
  }
  if (exchange_.returns_waiting() >= base::kReturnsBatch) [[unlikely]] {
    if (exchange_.flush_returns(parts_.port)) parts_.port.ring_if_asleep();
  }
}

void WorkerLoop::untell_time() noexcept {
  if (timed_ != done_)
    return static_cast<void>(++timed_);  // one less of those that the clock will be read for
  // Relaxed: as above.
  if (told_->load(base::relaxed) != 0) told_->store(told_->load(base::relaxed) - 1, base::relaxed);
}

void WorkerLoop::watch_control() {
  for (;;) {
    reactor_.wait_readable(exchange_.control());
    if (left_) return;
    auto control = exchange_.read_control();
    if (!control) return fail(control.fault());
    if (control->state == link::Exchange::Control::State::closed) return leave(0);
    if (control->state != link::Exchange::Control::State::message) continue;
    if (!std::holds_alternative<wire::Goodbye>(control->message))
      refuse("an unexpected message on the control socket");
    // What was sent before it is done first.
    leaving_ = true;
    leave_if_done();
  }
}

void WorkerLoop::give_up(const wire::FrameHeader& task, const base::Fault& fault) noexcept {
  wire::FailureReport exhausted;
  exhausted.kind = wire::FailureReport::Kind::exhausted;
  exhausted.message = fault.message;
  wire::FrameHeader header;
  header.slot = task.slot;
  header.generation = task.generation;
  header.kind = wire::Kind::failure;
  send(header, {}, wire::encode(exhausted, base::kInlineBytesMax));
  if (parts_.is_thread) {
    parts_.port.in.release();
    after_reply();
  }
  fail(fault);
}

void WorkerLoop::fail(const base::Fault& fault) noexcept {
  if (parts_.is_thread && fault.kind != base::Fault::Kind::violation) return part();
  refuse(fault.message.c_str());
}

void WorkerLoop::leave(int code) noexcept {
  if (parts_.is_thread) return part();
  WEFT_FAILURE_POINT("worker.leave");
  std::fflush(nullptr);
  TraceFile::flush_all();  // of pools that its tasks had
  // Not exit(): static destructors belong to a main that never ran.
  ::_exit(code);
}

void WorkerLoop::part() noexcept {
  if (std::exchange(left_, true)) return;
  ++leader_epoch_;
  // Looks at no ring any more: else it would not sleep while something is left there.
  reactor_.detach(*this);
  if (leader_ == Leader::idle) idle_waker_.wake();
  for (const fiber::Waker& follower : followers_) follower.wake();
  followers_.clear();
  stop_watch_.stop_all();
  if (channels_) channels_->part();
  ::shutdown(exchange_.control(), SHUT_RDWR);  // wakes watch_control(), and tells the parent
}

void WorkerLoop::refuse(const char* what) noexcept {
  // Both sides are this process, so one of them is wrong.
  if (parts_.is_thread) base::check_failed("a worker that is a thread", what, __FILE__, __LINE__);
  process::note(*parts_.black_box, what);
  leave(kRefused);
  std::abort();  // not reached
}

}  // namespace weft::work
