#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <weft/deadline.hpp>
#include <weft/detail/gate.hpp>
#include <weft/error.hpp>
#include <weft/export.hpp>

namespace weft {

class Permit;

namespace detail {

inline std::size_t at_least_one(std::size_t permits) {
  if (permits == 0) throw ArgumentError{"a semaphore needs at least 1 permit"};
  return permits;
}

/// What permits are given back to.
class PermitSource {
 protected:
  ~PermitSource() = default;

 private:
  friend class weft::Permit;
  /// `place` is the source's own, from when it made the permit.
  virtual void give_back(void* place, std::size_t count) noexcept = 0;
};

}  // namespace detail

/// Permits of a Semaphore, KeyedSemaphore or KeyedMutex that somebody has, given back when this ends. False if it has
/// none: those were not to be had in time, or it was released or moved from.
///
/// Owner: the caller; moves, to other fibers and threads too. It must not outlive what it is of.
class [[nodiscard]] Permit {
 public:
  Permit() noexcept = default;
  Permit(detail::PermitSource& source, void* place, std::size_t count) noexcept
      : source_{&source}, place_{place}, count_{count} {}
  Permit(Permit&& other) noexcept
      : source_{std::exchange(other.source_, nullptr)}, place_{other.place_}, count_{other.count_} {}
  Permit(const Permit&) = delete;
  Permit& operator=(Permit&& other) noexcept {
    Permit old{std::move(*this)};
    source_ = std::exchange(other.source_, nullptr);
    place_ = other.place_;
    count_ = other.count_;
    return *this;
  }
  ~Permit() { release(); }

  [[nodiscard]] explicit operator bool() const noexcept { return source_ != nullptr; }
  /// Gives them back now. Doing it again does nothing.
  void release() noexcept {
    if (detail::PermitSource* const source = std::exchange(source_, nullptr))
      source->give_back(place_, count_);
  }

 private:
  detail::PermitSource* source_ = nullptr;
  void* place_ = nullptr;
  std::size_t count_ = 0;
};

/// At most so many at a time, fibers and threads of one process; first come, first served: who wants many is not
/// overtaken by those who want few.
///
/// Owner: the program; it must outlive its permits and those who wait for it. Threads: any. Blocks: waiting suspends the
/// fiber; a thread without fibers spins for some microseconds and then sleeps.
class WEFT_EXPORT Semaphore final : private detail::PermitSource {
 public:
  /// Of `permits`, 1 or more. Throws ArgumentError.
  explicit Semaphore(std::size_t permits) : permits_{detail::at_least_one(permits)}, gate_{permits} {}

  /// Waits for `count` permits. Throws ArgumentError where there are not so many at all, or for 0; Exhausted where the
  /// thread has no descriptors to wait with.
  Permit acquire(std::size_t count = 1) { return take(count, detail::kNever); }
  /// Without waiting; false (Permit's operator bool) if they are not free, or others wait. Throws ArgumentError.
  Permit try_acquire(std::size_t count = 1) { return take(count, 0); }
  /// False if they were not to be had in time. Throws as acquire() does.
  Permit acquire_for(std::chrono::nanoseconds timeout, std::size_t count = 1) {
    return take(count, detail::deadline_after(timeout));
  }
  Permit acquire_until(Deadline deadline, std::size_t count = 1) {
    return take(count, detail::deadline_at(deadline));
  }

 private:
  Permit take(std::size_t count, std::uint64_t deadline_ns) {
    if (count == 0 || count > permits_)
      throw ArgumentError{"a semaphore gives 1 permit at least, and as many as it has at most"};
    return detail::came(wait(count, deadline_ns)) ? Permit{*this, nullptr, count} : Permit{};
  }
  detail::Waited wait(std::size_t count, std::uint64_t deadline_ns);
  void give_back(void* place, std::size_t count) noexcept override;

  const std::size_t permits_;
  std::mutex inner_;  // guards the gate, for some instructions at a time
  detail::Gate gate_;
};

/// A semaphore for each key that somebody names: at most so many at a time for the same key. A key costs memory only
/// while somebody has a permit for it or waits for one.
///
/// Owner, Threads and Blocks: as Semaphore.
class WEFT_EXPORT KeyedSemaphore final : private detail::PermitSource {
 public:
  /// Of `permits` for each key, 1 or more. Throws ArgumentError.
  explicit KeyedSemaphore(std::size_t permits) : permits_{detail::at_least_one(permits)} {}

  /// Waits for a permit for `key`. Throws Exhausted where the thread has no descriptors to wait with.
  Permit acquire(std::string_view key) { return take(key, detail::kNever); }
  /// Without waiting; false (Permit's operator bool) if none is free, or others wait.
  Permit try_acquire(std::string_view key) { return take(key, 0); }
  /// False if there was none in time.
  Permit acquire_for(std::chrono::nanoseconds timeout, std::string_view key) {
    return take(key, detail::deadline_after(timeout));
  }
  Permit acquire_until(Deadline deadline, std::string_view key) {
    return take(key, detail::deadline_at(deadline));
  }
  /// How many keys somebody has a permit for or waits for.
  [[nodiscard]] std::size_t keys() const;

 private:
  using Gates = std::map<std::string, detail::Gate, std::less<>>;

  Permit take(std::string_view key, std::uint64_t deadline_ns) {
    void* place = nullptr;
    return detail::came(wait(key, deadline_ns, place)) ? Permit{*this, place, 1} : Permit{};
  }
  detail::Waited wait(std::string_view key, std::uint64_t deadline_ns, void*& place);
  void give_back(void* place, std::size_t count) noexcept override;
  void forget_if_unused(Gates::value_type& entry) noexcept;

  const std::size_t permits_;
  mutable std::mutex inner_;  // guards all gates, for some instructions at a time
  Gates gates_;
};

/// A mutex for each key that somebody names.
///
/// Owner, Threads and Blocks: as Semaphore; lock() waits as acquire() does.
class KeyedMutex {
 public:
  KeyedMutex() : semaphore_{1} {}

  /// Waits until `key` is the caller's, which it is until the Permit ends. Throws Exhausted where the thread has no
  /// descriptors to wait with.
  Permit lock(std::string_view key) { return semaphore_.acquire(key); }
  /// Without waiting; false (Permit's operator bool) if somebody has it.
  Permit try_lock(std::string_view key) { return semaphore_.try_acquire(key); }
  /// False if it was not to be had in time.
  Permit try_lock_for(std::chrono::nanoseconds timeout, std::string_view key) {
    return semaphore_.acquire_for(timeout, key);
  }
  Permit try_lock_until(Deadline deadline, std::string_view key) {
    return semaphore_.acquire_until(deadline, key);
  }
  /// How many keys somebody has or waits for.
  [[nodiscard]] std::size_t keys() const { return semaphore_.keys(); }

 private:
  KeyedSemaphore semaphore_;
};

}  // namespace weft
