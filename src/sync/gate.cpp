#include <weft/detail/gate.hpp>

#include "base/atomic.hpp"
#include "base/check.hpp"
#include "base/clock.hpp"
#include "fiber/reactor.hpp"
#include "sync/spin.hpp"

namespace weft::detail {

/// A fiber or thread that waits; it stands on its own stack.
struct Gate::Waiter final : Place {
  enum class Verdict : std::uint8_t { waiting, served, refused };

  using Place::Place;

  /// Read without the lock too, by the waiter while it spins: relaxed, since it takes the lock before it believes it.
  base::Atomic<Verdict> verdict{Verdict::waiting};
  fiber::Waker waker;  ///< none while it spins

  // Relaxed: as said above.
  [[nodiscard]] bool waiting() const noexcept { return verdict.load(base::relaxed) == Verdict::waiting; }
  /// Wakes it under the lock, which it takes before it goes on: so its fiber, its thread and this object are still there.
  void told(bool served) noexcept override {
    // Relaxed: under the lock, as above.
    verdict.store(served ? Verdict::served : Verdict::refused, base::relaxed);
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
  // Relaxed: under the lock.
  switch (self.verdict.load(base::relaxed)) {
    case Waiter::Verdict::served:
      return Waited::came;
    case Waiter::Verdict::refused:
      return Waited::closed;
    case Waiter::Verdict::waiting:
      break;
  }
  leave(self);
  return Waited::timed_out;
}

bool Gate::take_or_queue(Place& place) noexcept {
  if (try_take(place.count_)) return true;
  append(place);
  return false;
}

void Gate::leave(Place& place) noexcept {
  remove(place);
  // Whoever stood behind it may want less.
  serve();
}

void Gate::give(std::size_t count) noexcept {
  permits_ += count;
  serve();
}

void Gate::serve() noexcept {
  while (first_ != nullptr && first_->count_ <= permits_) {
    Place& place = *first_;
    permits_ -= place.count_;
    remove(place);
    place.told(true);
  }
}

void Gate::shut() noexcept {
  shut_ = true;
  while (first_ != nullptr) {
    Place& place = *first_;
    remove(place);
    place.told(false);
  }
}

void Gate::append(Place& place) noexcept {
  place.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &place;
  last_ = &place;
}

void Gate::remove(Place& place) noexcept {
  (place.previous_ != nullptr ? place.previous_->next_ : first_) = place.next_;
  (place.next_ != nullptr ? place.next_->previous_ : last_) = place.previous_;
}

}  // namespace weft::detail
