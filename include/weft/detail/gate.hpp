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
  /// A place in the queue. Owner: whoever waits. Written under the gate's lock.
  class Place {
   public:
    explicit Place(std::size_t count) noexcept : count_{count} {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

   protected:
    ~Place() = default;

   private:
    friend class Gate;
    /// It has what it wanted, or never will, and has left the queue; it may be gone when this returns.
    virtual void told(bool served) noexcept = 0;

    const std::size_t count_;
    Place* next_ = nullptr;
    Place* previous_ = nullptr;
  };

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
  /// The same for one who does not wait here: true if `place` has its permits; else it stands in the queue, until it is
  /// told or leaves.
  [[nodiscard]] bool take_or_queue(Place& place) noexcept;
  void leave(Place& place) noexcept;
  void give(std::size_t count) noexcept;
  /// Refuses all who wait now, and whoever would have to wait later.
  void shut() noexcept;

  /// What nobody has, and nobody was given.
  [[nodiscard]] std::size_t permits() const noexcept { return permits_; }
  [[nodiscard]] bool anybody_waits() const noexcept { return first_ != nullptr; }

 private:
  struct Waiter;
  void append(Place& place) noexcept;
  void remove(Place& place) noexcept;
  void serve() noexcept;

  std::size_t permits_;
  bool shut_ = false;
  Place* first_ = nullptr;  // who waits longest
  Place* last_ = nullptr;
};

}  // namespace weft::detail
