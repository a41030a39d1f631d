// Who is told when a call settles: callbacks, and those who wait for it among others.

#include <algorithm>
#include <utility>
#include <weft/error.hpp>

#include "work/callback.hpp"
#include "work/gathering.hpp"
#include "work/hearing.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

/// Those who want to know that `call` has settled: here, or after the lock.
void PoolCore::tell(Call& call) noexcept {
  if (call.watched) {
    call.watched = false;
    Gathering::tell(std::exchange(call.extra()->watchers, nullptr), call.ending != Ending::value);
    if (call.extra()->talk) end_talk(*call.extra()->talk);
  }
  if (!call.has_continuation) return;
  call.has_continuation = false;
  call.continuing = true;
  after_.emplace_back([this, &call] { run_continuations(call); });
  leave_slowly_ = true;
}

void PoolCore::run_continuations(Call& call) {
  const std::vector<Continuation> continuations = std::move(call.extra()->continuations);
  for (const Continuation& each : continuations) run_callback(each.step);
  std::shared_ptr<PoolCore> last;
  std::shared_ptr<Hearing> hearing;  // it may call the program: after the lock
  const Section section{*this};
  call.continuing = false;
  if (call.abandoned) {
    hearing.swap(call.extra()->hearing);
    calls_.give_back(call);
  }
  if (calls_.in_use() == 0) last.swap(keep_);
}

bool PoolCore::on_settled(Call& call, const void* owner, std::function<void()>& continuation) {
  // The continuation may run on another thread at once, and end with the pool's last Execution.
  const auto self = shared_from_this();
  const Section section{*this};
  if (call.phase == Phase::settled) return false;
  call.more().continuations.push_back({owner, std::move(continuation)});
  call.has_continuation = true;
  return true;
}

std::shared_ptr<Hearing> PoolCore::hearing_of(Call& call) {
  const Section section{*this};
  std::shared_ptr<Hearing>& hearing = call.more().hearing;
  if (!hearing) hearing = std::make_shared<Hearing>();
  return hearing;
}

bool PoolCore::forget(Call& call, const void* owner) noexcept {
  std::function<void()> forgotten;  // user code: it ends after the lock
  const Section section{*this};
  if (!call.has_continuation) return false;
  auto& all = call.extra()->continuations;
  const auto found =
      std::find_if(all.begin(), all.end(), [owner](const auto& each) { return each.owner == owner; });
  if (found == all.end()) return false;
  forgotten = std::move(found->step);
  all.erase(found);
  call.has_continuation = !all.empty();
  return true;
}

bool PoolCore::watch(Call& call, Watcher& watcher) {
  const Section section{*this};
  if (call.phase == Phase::settled) return false;
  watcher.call = &call;
  watcher.next = std::exchange(call.more().watchers, &watcher);
  call.watched = true;
  return true;
}

void PoolCore::unwatch(std::span<Watcher> watchers) noexcept {
  const Section section{*this};
  for (Watcher& watcher : watchers) {
    if (watcher.core != this || watcher.call == nullptr) continue;
    Watcher** link = &watcher.call->extra()->watchers;
    while (*link != &watcher) link = &(*link)->next;
    *link = watcher.next;
    watcher.call->watched =
        watcher.call->extra()->watchers != nullptr || watcher.call->extra()->talk != nullptr;
  }
}

}  // namespace weft::work
