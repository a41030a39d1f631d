#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>
#include <weft/buffer.hpp>
#include <weft/task.hpp>

#include "base/failure_point.hpp"
#include "base/unique_fd.hpp"
#include "fiber/reactor.hpp"
#include "link/board.hpp"
#include "link/exchange.hpp"
#include "link/frame_port.hpp"
#include "process/black_box.hpp"
#include "work/asker.hpp"
#include "work/named_tasks.hpp"
#include "work/output.hpp"
#include "work/stop_watch.hpp"
#include "work/worker_channels.hpp"

namespace weft::work {

/// A worker's life after the handshake: takes frames out of the parent's ring and runs them.
///
/// One fiber leads: it reads the next frame and runs the task where it stands, so that a short task costs no switch.
/// Only if the task suspends does another fiber take the ring over.
///
/// Owner: the worker's main thread, or all of a worker that is a thread (worker_thread.hpp); nobody else uses it. Crash:
/// the parent reads the lane.
class WorkerLoop final : public fiber::Source {
 public:
  struct Parts {
    link::FramePort port;
    base::UniqueFd control;
    base::UniqueFd bell;
    const link::Board* board = nullptr;
    process::BlackBox* black_box = nullptr;
    std::uint64_t worker_id = 0;
    const link::StopLog* stop_log = nullptr;
    TaskOutput output;
    WorkerStore* store = nullptr;
    bool is_thread = false;  ///< of the parent's own process
  };
  explicit WorkerLoop(Parts parts);

  /// Serves until the parent says goodbye or is gone. Then the process has ended; a thread returns once its tasks have.
  void run();
  [[nodiscard]] link::Exchange& exchange() noexcept { return exchange_; }

  bool poll() noexcept override;
  bool arm() noexcept override;
  void disarm() noexcept override;
  [[nodiscard]] std::uint64_t busy_poll_ns() const noexcept override;

 private:
  friend class Asker;
  friend class RunningTask;
  friend class WorkerScope;
  friend class WorkerChannels;
  friend class WorkerEnd;
  /// Right to a thousandth.
  static constexpr unsigned kNsShift = 12;
  enum class Leader : std::uint8_t { looking, idle, in_task, called };

  void serve();
  void lead();
  // Inlined: each has one caller, and half of its work would be to save and restore registers.
  [[gnu::always_inline]] inline void on_frame();
  [[gnu::always_inline]] inline void on_task(const wire::FrameHeader& header,
                                             std::span<const std::byte> body);
  void after_reply() noexcept;
  void idle();
  bool spin() noexcept;
  void watch_control();
  /// Inlined for FramePort::send()'s reason.
  [[gnu::always_inline]] void send(const wire::FrameHeader& header,
                                   std::span<const wire::BlockReference> references,
                                   std::span<const std::byte> payload) {
    WEFT_FAILURE_POINT("worker.reply.before");
    while (!parts_.port.send(header, references, payload)) [[unlikely]] {
        if (!wait_for_room()) return;
      }
    WEFT_FAILURE_POINT("worker.reply.after");
  }
  /// False if nobody will read what was to be written.
  bool wait_for_room();
  /// A further fiber of the loop, which has to return before the loop ends.
  void spawn(std::function<void()> body);
  /// References for the next frame, with a payload of so many bytes; waits for room for it. Throws Exhausted and its like.
  void lend(std::span<const Buffer> buffers, std::size_t payload,
            std::vector<wire::BlockReference>& references);
  /// Before a task's answer, where something is to be done then: its output ends, its channels close.
  [[gnu::noinline]] void before_reply(const wire::FrameHeader& task);
  [[nodiscard]] WorkerChannels& channels();
  [[nodiscard]] ChannelEnd::Line line() noexcept { return {parts_.port, exchange_}; }
  [[nodiscard]] std::uint64_t spin_ns_max() const noexcept {
    // Relaxed: advice, any value does no harm.
    return parts_.board->spin_ns_max.load(base::relaxed);
  }
  /// The next frames, as long as they belong to channels. Any fiber may, while none is just reading a frame.
  ChannelEnd::Look take_channel_frames() noexcept;
  [[gnu::noinline]] void on_channel_frame(const wire::FrameHeader& header, std::span<const std::byte> body);
  void after_channel_frame() noexcept;
  /// Where memory is limited: some of it is kept for telling that a task has used up the rest.
  void keep_reserve() noexcept;
  void ring_if_behind() noexcept;
  /// The same, but whoever looks for the answer just now is first given the time to read it.
  void ring_if_unread() noexcept;
  /// Rings if what was unread at the last look still is; the looks are `old` ticks apart.
  void ring_if_old(doorbell::Word word, std::uint64_t now, std::uint64_t old) noexcept;
  /// Counts what was done since the clock was looked at last, for people, and gives how long each took, in ticks. Inlined:
  /// a call would be a third of it.
  [[gnu::always_inline]] std::uint64_t tell_times(std::uint64_t now) noexcept {
    const std::uint64_t untimed = done_ - timed_;
    const std::uint64_t took = (now - last_ticks_) / (untimed == 0 ? 1 : untimed);
    timed_ = done_;
    last_ticks_ = now;
    if (untimed == 0) return took;
    told_ = &parts_.port.own->run_times[ring::run_times_bucket((took * tick_ns_) >> kNsShift)];
    // Relaxed: for people. This thread alone writes it, so nothing comes between the two.
    told_->store(told_->load(base::relaxed) + untimed, base::relaxed);
    return took;
  }
  /// Takes back that the last one was counted: it had been suspended while another fiber led, so nobody knows how long it
  /// took.
  void untell_time() noexcept;
  /// The chunk that a task's buffer lies in could not be taken, and will not come again: that task fails, and the
  /// process ends, so that the next has all that this one lacked. A thread takes no more, and returns.
  void give_up(const wire::FrameHeader& task, const base::Fault& fault) noexcept;
  /// Ends the process. A thread takes nothing more, and ends once its tasks have.
  void leave(int code) noexcept;
  void part() noexcept;
  /// What the parent has sent could not be taken.
  void fail(const base::Fault& fault) noexcept;
  void leave_if_done() noexcept;
  [[nodiscard]] bool has_running() const noexcept { return begun_ != done_; }
  /// For whoever watches from outside (weft top).
  void tell_done() noexcept {
    ring::LaneCounters& own = *parts_.port.own;
    // Relaxed: for people.
    own.tasks_done.store(done_, base::relaxed);
    own.tasks_in_hand.store(begun_ - done_, base::relaxed);
  }
  [[noreturn]] void refuse(const char* what) noexcept;

  Parts parts_;
  link::Exchange exchange_;
  fiber::Reactor& reactor_;
  doorbell::Sleeper sleeper_;
  Leader leader_ = Leader::looking;
  std::uint64_t leader_epoch_ = 0;  // which fiber leads: the one that took the last number
  fiber::Waker idle_waker_;
  std::vector<fiber::Waker> followers_;
  std::unique_ptr<std::byte[]> reserve_;
  // Two that only grow, rather than one that goes up and down: what is done is known to whoever watches, for nothing.
  std::uint64_t begun_ = 0;
  std::uint64_t done_ = 0;
  bool leaving_ = false;
  bool left_ = false;                            ///< a thread that only finishes what it has begun
  std::uint64_t last_ticks_ = 0;                 // when the last task ended, or the ring was last seen empty
  std::uint64_t timed_ = 0;                      // done_ at last_ticks_
  base::Atomic<std::uint64_t>* told_ = nullptr;  // where tell_times() counted last
  TaskFinder finder_;
  std::vector<std::uint64_t> thrown_;  ///< where the exception was thrown that is just being told
  StopWatch stop_watch_;
  bool ends_matter_;                 ///< before_reply() has something to do
  std::uint64_t short_ticks_;        ///< a microsecond: the clock is not read for each task that takes less
  std::uint64_t old_ticks_;          ///< kReplyOldUs
  std::uint64_t old_ticks_patient_;  ///< kReplyOldPatientUs
  std::uint64_t tick_ns_;            ///< how long a tick is, for tell_times(): so many parts of 1 << kNsShift
  std::shared_ptr<WorkerChannels> channels_;  ///< from the first use on
  std::uint64_t old_since_ = 0;     ///< when ring_if_old() looked last how far the parent has read, and
  std::uint64_t old_position_ = 0;  ///< where the frames then ended
  std::uint64_t task_ticks_ = 0;    // mean cost of a task lately
  Asker asker_{*this};
  std::size_t fibers_ = 0;   ///< that spawn() has started and that have not returned
  fiber::Waker last_waker_;  ///< of run(), which waits for them
};

}  // namespace weft::work
