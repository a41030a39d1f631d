#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>
#include <weft/detail/packed.hpp>
#include <weft/export.hpp>
#include <weft/progress.hpp>
#include <weft/task_times.hpp>

namespace weft::work {
struct Call;
class PoolCore;
}  // namespace weft::work

namespace weft {
template <class R>
class Execution;
}

namespace weft::detail {

class CallHandle;
class ChannelPort;
struct ChannelName;

/// For the parts of weft that look at the call behind an Execution.
struct HandleOf {
  template <class R>
  static CallHandle& get(Execution<R>& execution) noexcept {
    return execution.handle_;
  }
};

/// The only owner of one submitted call, or a view of one that somebody keeps alive. Threads: one at a time.
class WEFT_EXPORT CallHandle {
 public:
  static constexpr std::uint64_t kNever = UINT64_MAX;

  CallHandle() noexcept = default;
  CallHandle(work::PoolCore& core, work::Call& call) noexcept : core_{&core}, call_{&call} {}
  CallHandle(CallHandle&& other) noexcept
      : core_{other.core_}, call_{std::exchange(other.call_, nullptr)}, is_view_{other.is_view_} {}
  CallHandle(const CallHandle& other) = delete;
  CallHandle& operator=(CallHandle&& other) noexcept {
    std::swap(core_, other.core_);
    std::swap(call_, other.call_);
    std::swap(is_view_, other.is_view_);
    return *this;
  }
  ~CallHandle() {
    if (call_ != nullptr && !is_view_) drop();
  }

  [[nodiscard]] bool valid() const noexcept { return call_ != nullptr; }
  /// Suspends the fiber until the call is settled (true) or the steady clock is at `deadline_ns` (false).
  bool wait(std::uint64_t deadline_ns);
  /// The same until `stop` is requested.
  bool wait(const std::stop_token& stop);
  /// Waits as wait(kNever) does. A short value is copied out, and ends the handle: true. Else there is value().
  [[nodiscard]] bool take(ShortValue& into);
  [[nodiscard]] bool ready() const;
  /// Who asks for a value: somebody to whom its failure is told by that, or who only looks.
  enum class Asks : bool { looking, listening };
  /// Of a settled call: its value's payload, valid as long as the handle; throws the failure if it has no value.
  [[nodiscard]] Payload value(Asks who = Asks::listening) const;
  /// Somebody has been told of the failure.
  void heard() const;
  /// Somebody asked for something else than this failure: who has registered callbacks shall not miss it.
  void unheard(std::exception_ptr failure) const;
  /// Of a settled call: what the task printed, with Output::capture.
  [[nodiscard]] std::string output() const;
  /// Of a settled call whose times are measured.
  [[nodiscard]] std::optional<TaskTimes> times() const;
  bool cancel(const std::string& reason);
  /// Runs `continuation` once the call is settled, on the thread that settles it or, if it is settled, here and now.
  void on_settled(std::function<void()> continuation);
  /// The same where it is not settled yet: true. False, and `continuation` is dropped, if it is. The owner can forget it.
  bool when_settled(const void* owner, std::function<void()> continuation);
  /// Takes back what `owner` asked for: true. False if it has run, or is just about to.
  bool forget(const void* owner) noexcept;

  [[nodiscard]] std::shared_ptr<ChannelPort> channel(const ChannelName& name) const;
  [[nodiscard]] Progress progress() const;
  void on_progress(std::function<void(const Progress&)> callback) const;

  /// For a callback, during which the call stays. Copyable only so that std::function can hold it.
  class View {
   public:
    View(work::PoolCore* core, work::Call* call) noexcept : core_{core}, call_{call} {}
    [[nodiscard]] CallHandle handle() const noexcept {
      CallHandle handle;
      handle.core_ = core_;
      handle.call_ = call_;
      handle.is_view_ = true;
      return handle;
    }

   private:
    work::PoolCore* core_;
    work::Call* call_;
  };
  [[nodiscard]] View view() const noexcept { return View{core_, call_}; }

 private:
  friend class CallWatch;
  friend class Gathering;
  void drop() noexcept;
  [[nodiscard]] Payload any_value(Asks who) const;
  work::PoolCore* core_ = nullptr;  ///< lives as long as the call does
  work::Call* call_ = nullptr;
  bool is_view_ = false;
};

}  // namespace weft::detail
