#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "fiber/reactor.hpp"

namespace weft::work {

struct Call;
class Gathering;
class PoolCore;

/// One call that a Gathering waits for, linked into it until it settles. Guarded by the lock of the call's pool.
struct Watcher {
  Gathering* gathering = nullptr;
  PoolCore* core = nullptr;
  Call* call = nullptr;  ///< nullptr once told
  Watcher* next = nullptr;
};

/// Several calls, of whatever pools, and the order in which they settle. Whoever waits reads the answers of all those
/// pools itself, and is woken once: when as many have settled as it waits for.
///
/// Owner: one combinator. Threads: one at a time; told of settled calls by any. Fibers: only the one that waits is
/// suspended.
class Gathering {
 public:
  /// For so many calls.
  explicit Gathering(std::size_t size);
  ~Gathering();
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  /// The next call; the first has index 0. The call's Execution may go before this does.
  void add(PoolCore& core, Call& call);
  /// Suspends the fiber until `count` calls have settled or, with `or_failure`, one of them has failed: true; false at
  /// the deadline. Throws Error in a callback, Exhausted.
  bool wait(std::size_t count, bool or_failure, std::uint64_t deadline_ns);
  /// The index of the call that settled after `before` others, which must have.
  [[nodiscard]] std::size_t settled_after(std::size_t before) const;
  /// The index of the first call that failed.
  [[nodiscard]] std::optional<std::size_t> first_failure() const;

  /// The call that `first` and those linked to it watched has settled. Under its pool's lock.
  static void tell(Watcher* first, bool failed) noexcept;

 private:
  void note(std::size_t index, bool failed) noexcept;
  [[nodiscard]] bool reached() const noexcept {
    return order_.size() >= count_ || (or_failure_ && first_failure_.has_value());
  }

  std::vector<Watcher> watchers_;
  std::vector<std::shared_ptr<PoolCore>> cores_;  ///< whose answers are waited for, each once

  mutable std::mutex mutex_;        // guards all below; taken under pools' locks, never the other way round
  std::vector<std::size_t> order_;  ///< indices of settled calls; has room for all
  std::optional<std::size_t> first_failure_;
  std::size_t count_ = 0;
  bool or_failure_ = false;
  fiber::Waker waker_;
};

}  // namespace weft::work
