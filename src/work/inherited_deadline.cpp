#include "work/inherited_deadline.hpp"

#include <algorithm>
#include <vector>

#include "fiber/reactor.hpp"

namespace weft::work {

namespace {

struct Entry {
  const void* fiber;
  std::uint64_t deadline_ns;
};
thread_local std::vector<Entry> entries;

std::vector<Entry>::iterator own_entry() noexcept {
  return std::find_if(
      entries.begin(), entries.end(),
      [fiber = fiber::Reactor::fiber_id()](const Entry& each) { return each.fiber == fiber; });
}

}  // namespace

void InheritedDeadline::begin(std::uint64_t deadline_ns) {
  entries.push_back({fiber::Reactor::fiber_id(), deadline_ns});
  count_.fetch_add(1, base::relaxed);
}

void InheritedDeadline::end() noexcept {
  entries.erase(own_entry());
  count_.fetch_sub(1, base::relaxed);
}

std::uint64_t InheritedDeadline::current() noexcept {
  const auto own = own_entry();
  return own == entries.end() ? 0 : own->deadline_ns;
}

}  // namespace weft::work
