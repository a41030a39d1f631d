#include <algorithm>
#include <utility>
#include <vector>
#include <weft/error.hpp>
#include <weft/worker_store.hpp>

#include "work/initializer.hpp"

namespace weft {

namespace {

/// Of a worker that is this thread.
thread_local WorkerStore* of_thread = nullptr;

}  // namespace

work::ThreadStore::ThreadStore() noexcept { of_thread = &store_; }
work::ThreadStore::~ThreadStore() { of_thread = nullptr; }

WorkerStore& work::worker_store() noexcept {
  if (of_thread != nullptr) return *of_thread;
  static WorkerStore& only =
      *new WorkerStore;  // never destroyed: a worker that leaves in good order clears it
  return only;
}

// Values are destroyed when the lock is released and the store in order again: their destructors may use it.

void WorkerStore::check(std::chrono::nanoseconds ttl) {
  if (ttl <= std::chrono::nanoseconds::zero())
    throw ArgumentError{"a value that is kept needs a positive time to live"};
}

std::shared_ptr<void> WorkerStore::find(std::string_view key, Type type) {
  Entries::node_type gone;
  const std::lock_guard guard{lock_};
  return look(key, type, gone);
}

/// Under the lock. An entry whose time is over goes to `gone`.
std::shared_ptr<void> WorkerStore::look(std::string_view key, Type type, Entries::node_type& gone) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  if (found->second.until != Deadline::max() && clock_() >= found->second.until) {
    gone = entries_.extract(found);
    return nullptr;
  }
  if (*found->second.type.id != *type.id) {
    throw ArgumentError{"what the worker keeps under \"" + std::string{key} + "\" is of type " +
                        found->second.type.name + " and was asked for as " + type.name};
  }
  return found->second.value;
}

std::shared_ptr<void> WorkerStore::put(std::string_view key, std::shared_ptr<void> value, Type type,
                                       std::chrono::nanoseconds ttl, Present present) {
  check(ttl);
  Entries::node_type over;
  Entry replaced;
  std::vector<std::shared_ptr<void>> swept;
  const std::lock_guard guard{lock_};
  if (present == Present::stands) {
    if (auto kept = look(key, type, over)) return kept;
  }
  const Deadline now = clock_();
  if (entries_.size() >= sweep_at_) swept = sweep(now);
  Entry& place = entries_[std::string{key}];
  replaced = std::exchange(place, {value, type, ttl >= Deadline::max() - now ? Deadline::max() : now + ttl});
  return value;
}

/// Under the lock: takes out what is past its time.
std::vector<std::shared_ptr<void>> WorkerStore::sweep(Deadline now) {
  std::vector<std::shared_ptr<void>> gone;
  for (auto each = entries_.begin(); each != entries_.end();) {
    if (each->second.until > now) {
      ++each;
    } else {
      gone.push_back(std::move(each->second.value));
      each = entries_.erase(each);
    }
  }
  // Twice as many as are left: so each set() pays for a look at two entries at the most.
  sweep_at_ = std::max<std::size_t>(16, 2 * entries_.size());
  return gone;
}

bool WorkerStore::erase(std::string_view key) {
  Entries::node_type gone;
  const std::lock_guard guard{lock_};
  const auto found = entries_.find(key);
  if (found == entries_.end()) return false;
  gone = entries_.extract(found);
  return gone.mapped().until > clock_();
}

void WorkerStore::clear() {
  Entries gone;
  const std::lock_guard guard{lock_};
  gone.swap(entries_);
}

std::size_t WorkerStore::size() const {
  const std::lock_guard guard{lock_};
  return entries_.size();
}

}  // namespace weft
