#include <algorithm>
#include <weft/detail/pipe.hpp>

#include "fiber/reactor.hpp"
#include "sync/inherited_deadline.hpp"

namespace weft::detail {

namespace {

/// One permit, at the latest by the deadline of the task that waits.
Waited take_in_task(Gate& gate, std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) {
  if (gate.try_take(1)) return Waited::came;
  const sync::TaskLimit limit{deadline_ns};
  return limit.ended(gate.take(lock, 1, limit.deadline_ns()));
}

}  // namespace

Waited Pipe::wait_for_room(std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) {
  if (closed_) return Waited::closed;
  const Waited waited = take_in_task(room_, lock, deadline_ns);
  // A receiver may have made room just before somebody closed.
  return waited == Waited::came && closed_ ? Waited::closed : waited;
}

Waited Pipe::wait_for_value(std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) {
  return take_in_task(values_, lock, deadline_ns);
}

void Pipe::announce() noexcept {
  values_.give(1);
  if (readable()) wake_watchers();
}

void Pipe::wake_watchers() noexcept {
  for (const fiber::Waker* const waker : watchers_) waker->wake();
}

void Pipe::close() noexcept {
  const std::lock_guard lock{mutex_};
  closed_ = true;
  room_.shut();
  values_.shut();
  wake_watchers();
}

bool Pipe::is_closed() noexcept {
  const std::lock_guard lock{mutex_};
  return closed_;
}

bool Pipe::ready() {
  const std::lock_guard lock{mutex_};
  return readable();
}

bool Pipe::watch(const fiber::Waker& waker) {
  const std::lock_guard lock{mutex_};
  if (readable()) return false;
  watchers_.push_back(&waker);
  return true;
}

void Pipe::unwatch(const fiber::Waker& waker) noexcept {
  const std::lock_guard lock{mutex_};
  watchers_.erase(std::find(watchers_.begin(), watchers_.end(), &waker));
}

}  // namespace weft::detail
