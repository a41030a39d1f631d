#include <weft/semaphore.hpp>

namespace weft {

detail::Waited Semaphore::wait(std::size_t count, std::uint64_t deadline_ns) {
  std::unique_lock lock{inner_};
  return gate_.take(lock, count, deadline_ns);
}

void Semaphore::give_back(void*, std::size_t count) noexcept {
  const std::lock_guard lock{inner_};
  gate_.give(count);
}

// The gate of a key has an address of its own for as long as somebody has a permit or waits: the map's nodes stay.

detail::Waited KeyedSemaphore::wait(std::string_view key, std::uint64_t deadline_ns, void*& place) {
  std::unique_lock lock{inner_};
  auto found = gates_.find(key);
  if (found == gates_.end()) found = gates_.try_emplace(std::string{key}, permits_).first;
  Gates::value_type& entry = *found;
  place = &entry;
  const detail::Waited waited = entry.second.take(lock, 1, deadline_ns);
  if (waited != detail::Waited::came) forget_if_unused(entry);
  return waited;
}

void KeyedSemaphore::give_back(void* place, std::size_t count) noexcept {
  const std::lock_guard lock{inner_};
  Gates::value_type& entry = *static_cast<Gates::value_type*>(place);
  entry.second.give(count);
  forget_if_unused(entry);
}

void KeyedSemaphore::forget_if_unused(Gates::value_type& entry) noexcept {
  if (entry.second.permits() == permits_ && !entry.second.anybody_waits()) gates_.erase(entry.first);
}

std::size_t KeyedSemaphore::keys() const {
  const std::lock_guard lock{inner_};
  return gates_.size();
}

}  // namespace weft
