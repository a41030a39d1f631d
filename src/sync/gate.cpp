#include <weft/detail/gate.hpp>

#include "base/atomic.hpp"
#include "base/check.hpp"
#include "base/clock.hpp"
#include "fiber/reactor.hpp"
#include "sync/spin.hpp"

namespace weft::detail {

/// One that waits. Written under the owner's lock.
struct Gate::Waiter {
  enum class Verdict : std::uint8_t { waiting, served, refused };

  explicit Waiter(std::size_t wanted) noexcept : count{wanted} {}

  const std::size_t count;
  /// Read without the lock too, by the waiter while it spins: relaxed, since it takes the lock before it believes it.
  base::Atomic<Verdict> verdict{Verdict::waiting};
  fiber::Waker waker;  ///< none while it spins
  Waiter* next = nullptr;
  Waiter* previous = nullptr;

  [[nodiscard]] bool waiting() const noexcept { return verdict.load(base::relaxed) == Verdict::waiting; }
  /// Wakes it under the lock, which it takes before it goes on: so its fiber, its thread and this object are still there.
  void tell(Verdict what) noexcept {
    verdict.store(what, base::relaxed);
    if (waker) waker.wake();
  }
};

Gate::~Gate() { WEFT_CHECK(first_ == nullptr, "destroyed while somebody waits for it"); }

Waited Gate::take(std::unique_lock<std::mutex>& lock, std::size_t count, std::uint64_t deadline_ns) {
  if (try_take(count)) return Waited::came;
  if (shut_) return Waited::closed;
  if (deadline_ns != kNever && base::now_ns() >= deadline_ns) return Waited::timed_out;
  fiber::Reactor* const reactor = fiber::Reactor::try_current();
  if (reactor == nullptr) return Waited::exhausted;

  Waiter self{count};
  append(self);
  if (!reactor->others_ready()) {
    lock.unlock();
    static_cast<void>(sync::spin(*reactor, deadline_ns, [&] { return !self.waiting(); }));
    lock.lock();
  }
  if (self.waiting()) {
    self.waker = reactor->waker();
    lock.unlock();
    reactor->suspend(deadline_ns);
    lock.lock();
  }
  switch (self.verdict.load(base::relaxed)) {
    case Waiter::Verdict::served:
      return Waited::came;
    case Waiter::Verdict::refused:
      return Waited::closed;
    case Waiter::Verdict::waiting:
      break;
  }
  remove(self);
  // Whoever stood behind it may want less.
  serve();
  return Waited::timed_out;
}

void Gate::give(std::size_t count) noexcept {
  permits_ += count;
  serve();
}

void Gate::serve() noexcept {
  while (first_ != nullptr && first_->count <= permits_) {
    Waiter& waiter = *first_;
    permits_ -= waiter.count;
    remove(waiter);
    waiter.tell(Waiter::Verdict::served);
  }
}

void Gate::shut() noexcept {
  shut_ = true;
  while (first_ != nullptr) {
    Waiter& waiter = *first_;
    remove(waiter);
    waiter.tell(Waiter::Verdict::refused);
  }
}

void Gate::append(Waiter& waiter) noexcept {
  waiter.previous = last_;
  (last_ != nullptr ? last_->next : first_) = &waiter;
  last_ = &waiter;
}

void Gate::remove(Waiter& waiter) noexcept {
  (waiter.previous != nullptr ? waiter.previous->next : first_) = waiter.next;
  (waiter.next != nullptr ? waiter.next->previous : last_) = waiter.previous;
}

}  // namespace weft::detail
