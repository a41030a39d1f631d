#include <algorithm>
#include <weft/detail/stop_token_watch.hpp>
#include <weft/detail/timer_watch.hpp>
#include <weft/detail/watchable.hpp>

#include "base/clock.hpp"
#include "fiber/reactor.hpp"
#include "sync/inherited_deadline.hpp"
#include "sync/spin.hpp"

namespace weft::detail {

namespace {

std::size_t first_ready(std::span<Watchable* const> all) {
  return static_cast<std::size_t>(
      std::find_if(all.begin(), all.end(), [](Watchable* each) { return each->ready(); }) - all.begin());
}

/// Suspends until one of `all` wakes it. Spurious where one had come in between: the caller looks anyway.
void suspend_for(std::span<Watchable* const> all, fiber::Reactor& reactor, std::uint64_t deadline_ns) {
  const fiber::Waker waker = reactor.waker();
  std::size_t watched = 0;
  // What watch() throws must not leave a waker behind that is used.
  const auto leave = [&]() noexcept {
    while (watched != 0) all[--watched]->unwatch(waker);
  };
  try {
    while (watched < all.size() && all[watched]->watch(waker)) ++watched;
  } catch (...) {
    reactor.suspend(0);
    leave();
    throw;
  }
  // One has come already, and another may have used the waker: the suspension owed to it, and no longer.
  reactor.suspend(watched == all.size() ? deadline_ns : 0);
  leave();
}

}  // namespace

Selected wait_for_any(std::span<Watchable* const> all, std::uint64_t deadline_ns) {
  std::uint64_t wake_ns = deadline_ns;
  for (const Watchable* const each : all) wake_ns = std::min(wake_ns, each->due_ns());
  for (;;) {
    std::size_t index = first_ready(all);
    if (index < all.size()) return {Waited::came, index};
    if (deadline_ns != kNever && base::now_ns() >= deadline_ns) return {Waited::timed_out, 0};
    fiber::Reactor* const reactor = fiber::Reactor::try_current();
    if (reactor == nullptr) return {Waited::exhausted, 0};
    if (sync::spin(*reactor, wake_ns, [&] { return (index = first_ready(all)) < all.size(); }))
      return {Waited::came, index};
    suspend_for(all, *reactor, wake_ns);
  }
}

Selected wait_in_task_for_any(std::span<Watchable* const> all, std::uint64_t deadline_ns) {
  const sync::TaskLimit limit{deadline_ns};
  const Selected selected = wait_for_any(all, limit.deadline_ns());
  return {limit.ended(selected.waited), selected.index};
}

bool TimerWatch::ready() { return base::now_ns() >= due_ns_; }

/// Whoever waits looks at the clock itself.
bool TimerWatch::watch(const fiber::Waker&) { return !ready(); }

void TimerWatch::unwatch(const fiber::Waker&) noexcept {}

/// While it is watched, and so while the waker is there: unwatch() waits for one that is just being called.
void StopTokenWatch::Wake::operator()() const noexcept { waker->wake(); }

bool StopTokenWatch::watch(const fiber::Waker& waker) {
  if (token_.stop_requested()) return false;
  callback_.emplace(token_, Wake{&waker});
  return true;
}

void StopTokenWatch::unwatch(const fiber::Waker&) noexcept { callback_.reset(); }

}  // namespace weft::detail
