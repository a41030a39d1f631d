#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <weft/codec.hpp>
#include <weft/deadline.hpp>
#include <weft/detail/shared_handle.hpp>

/// What fibers and threads of several processes wait for each other with: a process and its workers. The interface is
/// that of weft::Mutex, Semaphore and so on, which serve one process and are faster.
///
/// An object lives in the process that made it, its home, as long as a copy of it lives there. Copies are the same
/// object. They travel: as an argument, in any other value, and back; in a worker they ask the home by a frame. A
/// worker can hand one on to workers of its own, as deep as they go, and then passes on what those ask. It can hand up
/// only what lives further up: its parent refuses an object that the worker has made, with EncodingError. Once the object
/// is gone, whoever waits or asks gets Closed.
///
/// Threads: at home any; in a worker the main thread, on which tasks run, and its fibers: others get Error. What a worker
/// passes on waits while its main thread computes, or blocks other than as a fiber.
/// Waiting suspends the fiber; there is no polling. First come, first served, wherever they come from.
/// Crash: what a worker had when it died passes on, once it is dead, and the next who gets it is told
/// (was_abandoned()). A task that ends without giving back what it took has it still: use a guard.
namespace weft::shared {

/// A mutex. Meets TimedLockable: use it with std::lock_guard, std::unique_lock, std::scoped_lock. Not recursive.
///
/// Owner: its copies together; it is gone with the last of them at home. Threads, waiting and crash: as said above.
/// Blocks: lock() and the try_ functions suspend the fiber, unlock() only where a worker's ring is full.
class Mutex : public detail::SharedNoun {
 public:
  Mutex() : SharedNoun{detail::SharedHandle::of_permits(1)} {}
  explicit Mutex(detail::SharedHandle handle) noexcept : SharedNoun{std::move(handle)} {}

  /// Waits until it is the caller's. Throws Closed; Exhausted where the thread has no descriptors to wait with, or 16384
  /// of its worker wait already.
  void lock() { static_cast<void>(take(detail::kNever)); }
  /// True if it was free, and is the caller's now. In a worker it suspends until the home has answered. Throws as lock().
  [[nodiscard]] bool try_lock() { return take(0); }
  /// True if it became the caller's in time. Throws as lock().
  [[nodiscard]] bool try_lock_for(std::chrono::nanoseconds timeout) {
    return take(detail::deadline_after(timeout));
  }
  [[nodiscard]] bool try_lock_until(Deadline deadline) { return take(detail::deadline_at(deadline)); }
  /// Hands it to who has waited longest. At home it aborts if nobody there holds it; a worker that does not hold it is
  /// ended.
  void unlock() noexcept { handle().give({}, 1); }
  /// For whoever holds it by this handle: its last holder was a worker that died with it, maybe in the midst of
  /// changing what it guards. Said once, to the next holder; pthread_mutex_lock(3) calls it EOWNERDEAD.
  [[nodiscard]] bool was_abandoned() const noexcept { return abandoned_; }

 private:
  bool take(std::uint64_t deadline_ns) {
    const detail::SharedGrant grant = handle().take({}, 1, deadline_ns);
    if (grant.came) abandoned_ = grant.abandoned;
    return grant.came;
  }

  bool abandoned_ = false;  // written by who has just got it
};

/// Permits of a Semaphore, KeyedSemaphore or KeyedMutex that somebody has, given back when this ends. False if it has
/// none: those were not to be had in time, or it was released or moved from.
///
/// Owner: the caller; moves, to other fibers too. Does not travel. Threads: as the semaphore. Blocks: to give back
/// suspends only where a worker's ring is full. Crash: a worker that dies gives back what its permits have.
class [[nodiscard]] Permit {
 public:
  Permit(const detail::SharedHandle& source, std::string_view key, std::size_t count,
         const detail::SharedGrant& grant)
      : source_{source}, key_{key}, count_{grant.came ? count : 0}, abandoned_{grant.abandoned} {}
  Permit(Permit&& other) noexcept
      : source_{other.source_},
        key_{std::move(other.key_)},
        count_{std::exchange(other.count_, 0)},
        abandoned_{other.abandoned_} {}
  Permit(const Permit&) = delete;
  Permit& operator=(Permit&& other) noexcept {
    Permit old{std::move(*this)};
    source_ = other.source_;
    key_ = std::move(other.key_);
    count_ = std::exchange(other.count_, 0);
    abandoned_ = other.abandoned_;
    return *this;
  }
  ~Permit() { release(); }

  [[nodiscard]] explicit operator bool() const noexcept { return count_ != 0; }
  /// Gives them back now. Doing it again does nothing.
  void release() noexcept {
    if (const std::size_t count = std::exchange(count_, 0)) source_.give(key_, count);
  }
  /// A worker has died with permits of this (of this key) since somebody was last told so.
  [[nodiscard]] bool was_abandoned() const noexcept { return abandoned_; }

 private:
  detail::SharedHandle source_;
  std::string key_;
  std::size_t count_;
  bool abandoned_;
};

/// At most so many at a time; who wants many is not overtaken by those who want few.
///
/// Owner, threads and crash: as Mutex. Blocks: whatever acquires suspends the fiber.
class Semaphore : public detail::SharedNoun {
 public:
  /// Of `permits`, 1 to 2^32 - 1. Throws ArgumentError.
  explicit Semaphore(std::size_t permits) : SharedNoun{detail::SharedHandle::of_permits(permits)} {}
  explicit Semaphore(detail::SharedHandle handle) noexcept : SharedNoun{std::move(handle)} {}

  /// Waits for `count` permits. Throws ArgumentError where there are not so many at all, or for 0; and as Mutex::lock().
  Permit acquire(std::size_t count = 1) { return take(count, detail::kNever); }
  /// False (Permit's operator bool) if they are not free, or others wait. Throws as acquire().
  Permit try_acquire(std::size_t count = 1) { return take(count, 0); }
  /// False if they were not to be had in time. Throws as acquire().
  Permit acquire_for(std::chrono::nanoseconds timeout, std::size_t count = 1) {
    return take(count, detail::deadline_after(timeout));
  }
  Permit acquire_until(Deadline deadline, std::size_t count = 1) {
    return take(count, detail::deadline_at(deadline));
  }

 private:
  Permit take(std::size_t count, std::uint64_t deadline_ns) {
    return Permit{handle(), {}, count, handle().take({}, count, deadline_ns)};
  }
};

/// A semaphore for each key that somebody names. A key costs memory only while somebody has a permit for it or waits
/// for one.
///
/// Owner, threads and crash: as Mutex. Blocks: whatever acquires suspends the fiber.
class KeyedSemaphore : public detail::SharedNoun {
 public:
  /// Of `permits` for each key, 1 to 2^32 - 1. Throws ArgumentError.
  explicit KeyedSemaphore(std::size_t permits) : SharedNoun{detail::SharedHandle::of_permits(permits)} {}
  explicit KeyedSemaphore(detail::SharedHandle handle) noexcept : SharedNoun{std::move(handle)} {}

  /// Waits for a permit for `key`, of up to 1024 bytes. Throws ArgumentError for a longer one; and as Mutex::lock().
  Permit acquire(std::string_view key) { return take(key, detail::kNever); }
  /// False (Permit's operator bool) if none is free, or others wait. Throws as acquire().
  Permit try_acquire(std::string_view key) { return take(key, 0); }
  /// False if there was none in time. Throws as acquire().
  Permit acquire_for(std::chrono::nanoseconds timeout, std::string_view key) {
    return take(key, detail::deadline_after(timeout));
  }
  Permit acquire_until(Deadline deadline, std::string_view key) {
    return take(key, detail::deadline_at(deadline));
  }

 private:
  Permit take(std::string_view key, std::uint64_t deadline_ns) {
    return Permit{handle(), key, 1, handle().take(key, 1, deadline_ns)};
  }
};

/// A mutex for each key that somebody names.
///
/// Owner, threads and crash: as Mutex. Blocks: lock() and the try_ functions suspend the fiber.
class KeyedMutex : public detail::SharedNoun {
 public:
  KeyedMutex() : SharedNoun{detail::SharedHandle::of_permits(1)} {}
  explicit KeyedMutex(detail::SharedHandle handle) noexcept : SharedNoun{std::move(handle)} {}

  /// Waits until `key` is the caller's, which it is until the Permit ends. Throws as KeyedSemaphore::acquire().
  Permit lock(std::string_view key) { return take(key, detail::kNever); }
  /// False (Permit's operator bool) if somebody has it.
  Permit try_lock(std::string_view key) { return take(key, 0); }
  /// False if it was not to be had in time.
  Permit try_lock_for(std::chrono::nanoseconds timeout, std::string_view key) {
    return take(key, detail::deadline_after(timeout));
  }
  Permit try_lock_until(Deadline deadline, std::string_view key) {
    return take(key, detail::deadline_at(deadline));
  }

 private:
  Permit take(std::string_view key, std::uint64_t deadline_ns) {
    return Permit{handle(), key, 1, handle().take(key, 1, deadline_ns)};
  }
};

/// Where so many wait for each other, over and over: none goes on before all have arrived. A worker that dies while it
/// waits has not arrived; nobody knows that one will not come which died before.
///
/// Owner and threads: as Mutex. Blocks: to arrive suspends the fiber, drop() only where a worker's ring is full.
class Barrier : public detail::SharedNoun {
 public:
  /// For `count`, 1 or more. Throws ArgumentError.
  explicit Barrier(std::size_t count) : SharedNoun{detail::SharedHandle::of_barrier(count)} {}
  explicit Barrier(detail::SharedHandle handle) noexcept : SharedNoun{std::move(handle)} {}

  /// Waits until all have arrived. Throws as Mutex::lock(); it has not arrived then.
  void arrive_and_wait() { static_cast<void>(handle().arrive(detail::kNever)); }
  /// False if not all arrived in time: then the caller has not arrived either, and the others go on waiting for it.
  [[nodiscard]] bool arrive_and_wait_for(std::chrono::nanoseconds timeout) {
    return handle().arrive(detail::deadline_after(timeout));
  }
  [[nodiscard]] bool arrive_and_wait_until(Deadline deadline) {
    return handle().arrive(detail::deadline_at(deadline));
  }
  /// Leaves: from now on the others wait for one less. If nobody is left to leave it aborts at home, and ends a worker.
  void drop() noexcept { handle().drop(); }
};

/// So many permits an interval, and no more, for all processes together: weft::RateLimit's token bucket.
///
/// Owner and threads: as Mutex. Blocks: whatever acquires suspends the fiber. Crash: permits that were used stay used.
class RateLimit : public detail::SharedNoun {
 public:
  /// `permits`, 1 or more, in each `interval`, which has at least one nanosecond for each. Throws ArgumentError.
  RateLimit(std::size_t permits, std::chrono::nanoseconds interval)
      : SharedNoun{detail::SharedHandle::of_rate(permits, interval)} {}
  explicit RateLimit(detail::SharedHandle handle) noexcept : SharedNoun{std::move(handle)} {}

  /// Waits until it is the caller's turn to use `count` permits. Throws ArgumentError where an interval has not so
  /// many, or for 0; and as Mutex::lock().
  void acquire(std::size_t count = 1) { static_cast<void>(handle().pace(count, detail::kNever)); }
  /// False, and nothing was used, if it would have to wait. Throws as acquire().
  [[nodiscard]] bool try_acquire(std::size_t count = 1) { return handle().pace(count, 0); }
  /// False, at once and nothing was used, if its turn does not come within `timeout`. Throws as acquire().
  [[nodiscard]] bool acquire_for(std::chrono::nanoseconds timeout, std::size_t count = 1) {
    return handle().pace(count, detail::deadline_after(timeout));
  }
  [[nodiscard]] bool acquire_until(Deadline deadline, std::size_t count = 1) {
    return handle().pace(count, detail::deadline_at(deadline));
  }
};

}  // namespace weft::shared

namespace weft {

template <>
struct Codec<shared::Mutex> : detail::SharedCodec<shared::Mutex> {
  static constexpr std::string_view schema = "shared mutex";
};
template <>
struct Codec<shared::Semaphore> : detail::SharedCodec<shared::Semaphore> {
  static constexpr std::string_view schema = "shared semaphore";
};
template <>
struct Codec<shared::KeyedSemaphore> : detail::SharedCodec<shared::KeyedSemaphore> {
  static constexpr std::string_view schema = "shared keyed semaphore";
};
template <>
struct Codec<shared::KeyedMutex> : detail::SharedCodec<shared::KeyedMutex> {
  static constexpr std::string_view schema = "shared keyed mutex";
};
template <>
struct Codec<shared::Barrier> : detail::SharedCodec<shared::Barrier> {
  static constexpr std::string_view schema = "shared barrier";
};
template <>
struct Codec<shared::RateLimit> : detail::SharedCodec<shared::RateLimit> {
  static constexpr std::string_view schema = "shared rate limit";
};

}  // namespace weft
