#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>
#include <weft/progress.hpp>

#include "work/channel_end.hpp"

namespace weft::work {

struct Call;
class PoolCore;

/// The parent's end of a channel to a task.
class ParentEnd final : public ChannelEnd, public std::enable_shared_from_this<ParentEnd> {
 public:
  ParentEnd(std::shared_ptr<PoolCore> core, Call* call, const ChannelId& id, bool is_open)
      : ChannelEnd{id, is_open}, core_{std::move(core)}, call_{call} {}

 private:
  friend class PoolCore;
  Look look() noexcept override;
  void attach(fiber::Reactor& reactor) override;
  void detach(fiber::Reactor& reactor) noexcept override;
  [[nodiscard]] std::uint64_t spin_ns_max() const noexcept override;
  detail::Waited transmit(const Outgoing& value) override;
  void flush_soon() noexcept override;

  const std::shared_ptr<PoolCore> core_;
  // Under the pool's lock.
  Call* call_;             ///< null once it has settled
  bool taken_ = false;     ///< by an Execution::channel()
  bool retrying_ = false;  ///< a timer will flush it
};

/// The newest word of a task's progress, and who wants to hear it.
class ProgressNews {
 public:
  /// Calls `callback` from now on, on whatever thread tell() is called.
  void on_progress(std::function<void(const Progress&)> callback);
  void note(const Progress& latest);
  /// Calls the callbacks with the latest, if they have not heard it: one thread at a time, so that they hear it in order.
  void tell();
  [[nodiscard]] Progress latest();
  [[nodiscard]] bool anybody_listens();

 private:
  std::mutex mutex_;  // guards all below
  Progress latest_;
  std::vector<std::shared_ptr<const std::function<void(const Progress&)>>> callbacks_;
  bool news_ = false;
  bool telling_ = false;
};

/// What a task and its submitter say to each other between the arguments and the value.
struct Talk {
  std::vector<std::shared_ptr<ParentEnd>> ends;
  std::shared_ptr<ProgressNews> progress;
};

/// True if the task has opened a channel: then it cannot be run once more as if nobody had heard of it.
bool has_talked(const Call& call) noexcept;

}  // namespace weft::work
