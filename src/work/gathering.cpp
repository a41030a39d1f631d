#include "work/gathering.hpp"

#include <algorithm>
#include <span>
#include <weft/detail/gathering.hpp>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "process/forked.hpp"
#include "work/call.hpp"
#include "work/initialized.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

namespace {

/// While it lives, `reactor` reads the answers of all these pools.
class Attachment {
 public:
  Attachment(fiber::Reactor& reactor, std::span<const std::shared_ptr<PoolCore>> cores)
      : reactor_{reactor}, cores_{cores} {
    for (const auto& core : cores_) core->attach_to(reactor_);
  }
  ~Attachment() {
    for (const auto& core : cores_) reactor_.detach(*core);
  }
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

 private:
  fiber::Reactor& reactor_;
  std::span<const std::shared_ptr<PoolCore>> cores_;
};

}  // namespace

Gathering::Gathering(std::size_t size) {
  watchers_.reserve(size);
  order_.reserve(size);
}

Gathering::~Gathering() {
  if (process::in_forked_child()) return;  // the calls are the parent's
  // With their locks, so that nobody is left who has just told of a call and still holds mutex_.
  for (const auto& core : cores_) core->unwatch(watchers_);
}

void Gathering::add(PoolCore& core, Call& call) {
  WEFT_CHECK(watchers_.size() < watchers_.capacity(), "more calls than the gathering was made for");
  const bool is_new = cores_.empty() || (cores_.back().get() != &core &&
                                         std::none_of(cores_.begin(), cores_.end(),
                                                      [&](const auto& each) { return each.get() == &core; }));
  if (is_new) cores_.push_back(core.shared_from_this());
  Watcher& watcher = watchers_.emplace_back(Watcher{.gathering = this, .core = &core});
  if (call.settled() || !core.watch(call, watcher)) {
    note(watchers_.size() - 1, call.ending != Ending::value);
  }
}

void Gathering::tell(Watcher* first, bool failed) noexcept {
  while (first != nullptr) {
    Watcher& watcher = *first;
    first = watcher.next;
    watcher.call = nullptr;
    Gathering& gathering = *watcher.gathering;
    gathering.note(static_cast<std::size_t>(&watcher - gathering.watchers_.data()), failed);
  }
}

void Gathering::note(std::size_t index, bool failed) noexcept {
  const std::lock_guard guard{mutex_};
  order_.push_back(index);
  if (failed && !first_failure_) first_failure_ = index;
  if (waker_ && reached()) {
    waker_.wake();
    waker_ = {};
  }
}

bool Gathering::wait(std::size_t count, bool or_failure, std::uint64_t deadline_ns) {
  const auto done = [&](const fiber::Waker& waker) {
    const std::lock_guard guard{mutex_};
    count_ = count;
    or_failure_ = or_failure;
    const bool is_reached = reached();
    waker_ = is_reached ? fiber::Waker{} : waker;
    return is_reached;
  };
  if (done({})) return true;
  require_may_wait();
  for (const auto& core : cores_) static_cast<void>(core->poll());
  if (done({})) return true;
  fiber::Reactor& reactor = own_reactor();
  const Attachment attachment{reactor, cores_};
  while (deadline_ns == fiber::Reactor::kNever || base::now_ns() < deadline_ns) {
    if (done(reactor.waker())) return true;
    reactor.suspend(deadline_ns);
    if (done({})) return true;
  }
  return false;
}

std::size_t Gathering::settled_after(std::size_t before) const {
  const std::lock_guard guard{mutex_};
  return order_[before];
}

std::optional<std::size_t> Gathering::first_failure() const {
  const std::lock_guard guard{mutex_};
  return first_failure_;
}

}  // namespace weft::work

namespace weft::detail {

Gathering::Gathering(std::size_t size) : gathering_{std::make_shared<work::Gathering>(size)} {}

void Gathering::add(const CallHandle& handle) {
  if (!handle.valid()) {
    throw ArgumentError{
        "one of the executions to wait for is of no task: it was moved from, or never submitted"};
  }
  work::require_unforked();
  gathering_->add(*handle.core_, *handle.call_);
}

bool Gathering::wait(std::size_t count, bool or_failure, std::uint64_t deadline_ns) {
  work::require_unforked();
  return gathering_->wait(count, or_failure, deadline_ns);
}

std::size_t Gathering::settled_after(std::size_t before) const { return gathering_->settled_after(before); }

std::optional<std::size_t> Gathering::first_failure() const { return gathering_->first_failure(); }

}  // namespace weft::detail
