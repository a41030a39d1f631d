#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <weft/detail/waited.hpp>
#include <weft/export.hpp>

namespace weft::detail {

/// Permits, and those who wait for some: first come, first served, and nobody overtakes. What is given goes straight
/// to whoever waits longest, so that it cannot be snatched from somebody who was woken for it. Everything else here
/// that waits (mutex, semaphore, barrier, channel) is made of this.
///
/// Owner: whatever it is a part of. Threads: any, under one lock of the owner's. It may be destroyed as soon as nobody
/// waits and the lock has been taken once more.
class WEFT_EXPORT Gate {
 public:
  explicit Gate(std::size_t permits) noexcept : permits_{permits} {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

  /// Takes `count` permits if that many are free and nobody waits for any.
  [[nodiscard]] bool try_take(std::size_t count) noexcept {
    if (first_ != nullptr || permits_ < count) return false;
    permits_ -= count;
    return true;
  }
  /// Waits until it has `count` permits, or until `deadline_ns`; lets go of `lock`, the owner's, meanwhile. closed once
  /// shut() was called and there are too few. Suspends the fiber.
  [[nodiscard]] Waited take(std::unique_lock<std::mutex>& lock, std::size_t count, std::uint64_t deadline_ns);
  void give(std::size_t count) noexcept;
  /// Refuses all who wait now, and whoever would have to wait later.
  void shut() noexcept;

  /// What nobody has, and nobody was given.
  [[nodiscard]] std::size_t permits() const noexcept { return permits_; }
  [[nodiscard]] bool anybody_waits() const noexcept { return first_ != nullptr; }

 private:
  struct Waiter;
  void append(Waiter& waiter) noexcept;
  void remove(Waiter& waiter) noexcept;
  void serve() noexcept;

  std::size_t permits_;
  bool shut_ = false;
  Waiter* first_ = nullptr;  // who waits longest; each stands on its own stack
  Waiter* last_ = nullptr;
};

}  // namespace weft::detail
