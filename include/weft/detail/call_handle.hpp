#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <weft/detail/packed.hpp>
#include <weft/export.hpp>

namespace weft::work {
struct Call;
}

namespace weft::detail {

/// The only owner of one submitted call, or a view of one that somebody keeps alive. Threads: one at a time.
class WEFT_EXPORT CallHandle {
 public:
  static constexpr std::uint64_t kNever = UINT64_MAX;

  CallHandle() noexcept = default;
  explicit CallHandle(work::Call& call) noexcept : call_{&call} {}
  CallHandle(CallHandle&& other) noexcept
      : call_{std::exchange(other.call_, nullptr)}, is_view_{other.is_view_} {}
  CallHandle(const CallHandle& other) = delete;
  CallHandle& operator=(CallHandle&& other) noexcept {
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
  [[nodiscard]] bool ready() const;
  /// Of a settled call: its value's payload, valid as long as the handle; throws the failure if it has no value.
  [[nodiscard]] Payload value() const;
  bool cancel(const std::string& reason);
  void on_settled(std::function<void()> continuation);

  /// For a callback, during which the call stays. Copyable only so that std::function can hold it.
  class View {
   public:
    explicit View(work::Call* call) noexcept : call_{call} {}
    [[nodiscard]] CallHandle handle() const noexcept {
      CallHandle handle;
      handle.call_ = call_;
      handle.is_view_ = true;
      return handle;
    }

   private:
    work::Call* call_;
  };
  [[nodiscard]] View view() const noexcept { return View{call_}; }

 private:
  void drop() noexcept;
  work::Call* call_ = nullptr;
  bool is_view_ = false;
};

}  // namespace weft::detail
