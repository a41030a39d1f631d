#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/unique_fd.hpp"

namespace weft::fiber {

/// A fiber that was put to sleep by Reactor::suspend(), for whoever shall wake it. Plain data; wakes at most once.
class Waker {
 public:
  Waker() = default;
  [[nodiscard]] explicit operator bool() const noexcept { return context_ != nullptr; }
  /// Makes the fiber ready, from any thread. Harmless if it was woken before (by its deadline, say).
  void wake() const noexcept;

 private:
  friend class Reactor;
  Waker(void* context, std::size_t epoch) noexcept : context_{context}, epoch_{epoch} {}
  void* context_ = nullptr;
  std::size_t epoch_ = 0;
};

/// In a `catch (...)`: rethrows what Boost.Context unwinds a destroyed fiber's stack with, and returns for all else.
void pass_forced_unwind();

/// Something that a reactor looks at when no fiber is ready: a link, a pool.
class Source {
 public:
  /// Looks for work without suspending, and makes fibers ready. True if it found any.
  virtual bool poll() noexcept = 0;
  /// Announces that the thread is about to sleep on wake_fd(); false if work has come in the meantime (then disarm()
  /// follows at once).
  virtual bool arm() noexcept = 0;
  /// The thread is awake again.
  virtual void disarm() noexcept = 0;
  /// So many ns it should go on looking, after its spin, before it sleeps: as if it slept and was woken again and again, so
  /// that all is told and heard which comes with a sleep. Asked again and again, too.
  [[nodiscard]] virtual std::uint64_t busy_poll_ns() const noexcept { return 0; }

 protected:
  ~Source() = default;
};

/// The scheduler of one thread's fibers: runs what is ready; when nothing is, looks at its sources, spins for a short,
/// adaptive while, longer if a source asks for that, and sleeps in epoll.
///
/// Owner: its thread; made by the first current() there, gone with the thread. Threads: only its own, but for
/// Waker::wake(). Crash: nothing of it is shared.
class Reactor {
 public:
  static constexpr std::uint64_t kNever = UINT64_MAX;

  /// This thread's reactor. The first call on a thread makes it the thread's Boost.Fiber scheduling algorithm.
  static Reactor& current();
  /// The same; nullptr, and errno says why, where its two descriptors are not to be had.
  static Reactor* try_current();
  /// The two descriptors, for a thread that is to have a reactor later; false, and errno says why, where they are not
  /// to be had.
  struct Descriptors {
    base::UniqueFd epoll;
    base::UniqueFd bell;
    [[nodiscard]] explicit operator bool() const noexcept { return epoll && bell; }
  };
  static Descriptors open() noexcept;
  /// Makes what Boost.Fiber keeps for each thread, but no reactor: for a process that is to be copied.
  static void prepare();
  /// The same as current() with those: cannot fail for want of them.
  static Reactor& current(Descriptors with);
  /// Tells the calling thread's fibers apart, while they live.
  static const void* fiber_id() noexcept;
  /// True if this thread has one.
  [[nodiscard]] static bool exists() noexcept;

  /// Looks at `source` from now on, and sleeps on its bell `fd` too (an eventfd, watched edge-triggered). `id` is the
  /// bell's own for as long as the process lives, since descriptor numbers are used again. Attaching counts.
  void attach(Source& source, int fd, std::uint64_t id);
  void detach(Source& source) noexcept;

  /// True if another fiber of this thread could run now: then the caller should suspend rather than spin.
  [[nodiscard]] bool others_ready() const noexcept;
  /// Lets fibers run that other threads have woken; true if nothing of this thread but the caller wants to run then, and
  /// no source is attached: so the caller may spin.
  [[nodiscard]] bool alone() noexcept;

  /// A waker for the active fiber. Every earlier one of this fiber becomes void.
  [[nodiscard]] Waker waker() noexcept;
  /// Suspends the active fiber until its waker is used or CLOCK_MONOTONIC reaches `deadline_ns`. Call it exactly once
  /// after waker(), whether or not that was used by then, and with no other suspension of this thread in between.
  void suspend(std::uint64_t deadline_ns = kNever) noexcept;
  /// Suspends the active fiber until CLOCK_MONOTONIC reaches `deadline_ns`.
  void sleep_until(std::uint64_t deadline_ns) noexcept;
  /// Lets the other ready fibers of this thread run.
  void yield() noexcept;

  /// Starts a fiber on this thread, on a guarded stack of `stack_bytes`; it is not joined.
  void spawn(std::function<void()> body, std::size_t stack_bytes);

  /// Suspends the active fiber until `fd` is readable (or writable), or the deadline. False at the deadline.
  bool wait_readable(int fd, std::uint64_t deadline_ns = kNever);
  bool wait_writable(int fd, std::uint64_t deadline_ns = kNever);

  /// Wakes by `waker`, which stays where it is so long, once `fd` is readable (or writable), until forget_fd() of what this
  /// gives: a twin of `fd`, so that it matters to nobody here if that is closed meanwhile. -1, and errno says why, where
  /// it cannot be watched.
  [[nodiscard]] int watch_fd(int fd, bool writable, const Waker& waker) noexcept;
  void forget_fd(int twin) noexcept;

  /// The longest spin before sleeping, in ns; 0 where there is no core to spin on.
  void set_spin_limit(std::uint64_t ns) noexcept;

  /// Ticks that a waiter may spin now, by what spinning has been worth lately on this thread.
  [[nodiscard]] std::uint64_t spin_ticks() const noexcept;
  /// To tell what it was worth: the wait ended while spinning, or it had to sleep after all.
  void spun(bool worth) noexcept;

  /// For tests and statistics: how often this thread slept in epoll.
  [[nodiscard]] std::uint64_t sleeps() const noexcept;

  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

 private:
  class Algorithm;  // Boost.Fiber's side of it; owns this object
  explicit Reactor(Algorithm& algorithm) noexcept : algorithm_{algorithm} {}
  bool wait_fd(int fd, std::uint32_t events, std::uint64_t deadline_ns);
  Algorithm& algorithm_;
};

}  // namespace weft::fiber
