#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>
#include <weft/progress.hpp>

#include "work/channel_end.hpp"

namespace weft::work {

class WorkerChannels;
class WorkerLoop;

/// A task's end of a channel to its submitter.
class WorkerEnd final : public ChannelEnd, public std::enable_shared_from_this<WorkerEnd> {
 public:
  WorkerEnd(std::shared_ptr<WorkerChannels> channels, const ChannelId& id)
      : ChannelEnd{id, true}, channels_{std::move(channels)} {}

 private:
  Look look() noexcept override;
  void attach(fiber::Reactor&) override {}  // the worker's thread reads its ring anyway
  void detach(fiber::Reactor&) noexcept override {}
  [[nodiscard]] std::uint64_t spin_ns_max() const noexcept override;
  detail::Waited transmit(const Outgoing& value) override;
  void flush_soon() noexcept override;

  std::shared_ptr<WorkerChannels> channels_;
};

/// What the tasks of this worker say to their submitters while they run: channels, progress.
///
/// Owner: the worker loop. Threads: the worker's own, but for hand_over(): the rings are written and read by that thread
/// alone, so what other threads send is taken over by a fiber of it, the courier. Ends keep this alive beyond the loop of a
/// worker that is a thread.
class WorkerChannels : public std::enable_shared_from_this<WorkerChannels> {
 public:
  explicit WorkerChannels(WorkerLoop& loop);

  /// Throws ArgumentError if the task has it already, or too many.
  std::shared_ptr<WorkerEnd> open(std::uint64_t call, const detail::ChannelName& name);
  void tell(std::uint64_t call, const Progress& progress);
  /// The worker is about to sleep: what of that came too soon after what was told before is told now.
  void tell_held_back();
  /// The parent's end of a channel says something. Nothing happens if the task has ended. False if it does not hold.
  [[nodiscard]] bool on_frame(const wire::FrameHeader& header, std::span<const std::byte> body,
                              std::vector<Buffer>& attachments);
  /// The task is about to answer: what it said goes before the answer, and its channels close.
  void end(std::uint64_t call);
  /// Some task has opened a channel or told of progress, and not ended.
  [[nodiscard]] bool any() const noexcept { return !talks_.empty(); }

  /// The worker finishes what it has begun, and tells its submitters nothing more: all channels close. The loop is not
  /// used from then on.
  void part() noexcept;

  /// True on the worker's own thread.
  [[nodiscard]] bool here() const noexcept;
  /// Writes what waits at `end`, now or as soon as there is room. On the worker's own thread.
  void flush(WorkerEnd& end) noexcept;
  /// The same, from any thread.
  void hand_over(std::shared_ptr<WorkerEnd> end) noexcept;
  [[nodiscard]] WorkerLoop& loop() noexcept { return loop_; }

 private:
  struct Talk {
    std::vector<std::shared_ptr<WorkerEnd>> ends;
    Progress progress;
    std::uint64_t told_ticks = 0;
    bool untold = false;
  };
  Talk& talk_of(std::uint64_t call);
  void tell_now(std::uint64_t call, Talk& talk);
  void run_courier();

  WorkerLoop& loop_;
  std::unordered_map<std::uint64_t, Talk> talks_;
  std::uint64_t last_call_ = 0;  ///< whose talk `last_` is
  Talk* last_ = nullptr;
  std::size_t untold_ = 0;  ///< talks with progress that is held back
  bool has_courier_ = false;
  std::mutex mutex_;  // guards all below
  std::vector<std::shared_ptr<WorkerEnd>> due_;
  fiber::Waker courier_;
  bool parted_ = false;  ///< written by the worker's own thread
};

}  // namespace weft::work
