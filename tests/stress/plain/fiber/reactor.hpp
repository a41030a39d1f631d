#pragma once
// A reactor of threads that have no fibers, for ThreadSanitizer, which does not follow Boost.Fiber's switches of stacks:
// it comes before the shipped one on the include path, so that the shipped sources of src/sync/ are what is tested.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace weft::fiber {

class Reactor;

class Waker {
 public:
  Waker() = default;
  [[nodiscard]] explicit operator bool() const noexcept { return reactor_ != nullptr; }
  void wake() const noexcept;

 private:
  friend class Reactor;
  Waker(Reactor* reactor, std::size_t epoch) noexcept : reactor_{reactor}, epoch_{epoch} {}
  Reactor* reactor_ = nullptr;
  std::size_t epoch_ = 0;
};

class Reactor {
 public:
  static constexpr std::uint64_t kNever = UINT64_MAX;

  static Reactor* try_current() {
    thread_local Reactor reactor;
    return &reactor;
  }
  /// A thread stands for its only fiber.
  static const void* fiber_id() noexcept { return try_current(); }
  [[nodiscard]] bool others_ready() const noexcept { return false; }
  [[nodiscard]] bool alone() const noexcept { return true; }
  /// Changes from wait to wait, so that wake-ups come before, while and after the waiter goes to sleep.
  [[nodiscard]] std::uint64_t spin_ticks() noexcept { return ++waits_ % 3 == 0 ? 20'000 : 0; }
  void spun(bool) noexcept {}

  [[nodiscard]] Waker waker() noexcept {
    const std::lock_guard lock{mutex_};
    return Waker{this, ++epoch_};
  }
  void suspend(std::uint64_t deadline_ns) noexcept {
    std::unique_lock lock{mutex_};
    const auto woken = [this] { return used_ == epoch_; };
    if (deadline_ns == kNever) {
      wake_up_.wait(lock, woken);
    } else {
      wake_up_.wait_until(lock, std::chrono::steady_clock::time_point{std::chrono::nanoseconds{deadline_ns}},
                          woken);
    }
    used_ = epoch_;
  }
  void sleep_until(std::uint64_t deadline_ns) noexcept {
    static_cast<void>(waker());
    suspend(deadline_ns);
  }

 private:
  friend class Waker;
  std::mutex mutex_;
  std::condition_variable wake_up_;
  std::size_t epoch_ = 0;
  std::size_t used_ = 0;  // the last epoch whose waker is void
  std::uint64_t waits_ = 0;
};

inline void Waker::wake() const noexcept {
  const std::lock_guard lock{reactor_->mutex_};
  if (epoch_ != reactor_->epoch_) return;
  reactor_->used_ = epoch_;
  reactor_->wake_up_.notify_one();
}

}  // namespace weft::fiber
