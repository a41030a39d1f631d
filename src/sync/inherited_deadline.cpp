#include "sync/inherited_deadline.hpp"

#include <algorithm>
#include <vector>

#include "fiber/reactor.hpp"

namespace weft::sync {

namespace {

struct Entry {
  const void* fiber;
  std::uint64_t deadline_ns;
};
thread_local std::vector<Entry> entries;

/// The last one of this fiber: a task may run within another (WorkerKind::caller).
Entry* own_entry() noexcept {
  const auto own =
      std::find_if(entries.rbegin(), entries.rend(),
                   [fiber = fiber::Reactor::fiber_id()](const Entry& each) { return each.fiber == fiber; });
  return own == entries.rend() ? nullptr : &*own;
}

}  // namespace

void InheritedDeadline::begin(std::uint64_t deadline_ns) {
  entries.push_back({fiber::Reactor::fiber_id(), deadline_ns});
  // Relaxed: whether there are any at all; each thread looks for its own.
  count_.fetch_add(1, base::relaxed);
}

void InheritedDeadline::end() noexcept {
  entries.erase(entries.begin() + (own_entry() - entries.data()));
  // Relaxed: as in begin().
  count_.fetch_sub(1, base::relaxed);
}

std::uint64_t InheritedDeadline::current() noexcept {
  const Entry* const own = own_entry();
  return own == nullptr ? 0 : own->deadline_ns;
}

}  // namespace weft::sync
