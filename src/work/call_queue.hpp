#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "work/call.hpp"

namespace weft::work {

/// The calls of one submitter that wait: those of a higher priority first, and of the same first in, first out.
struct Share {
  std::array<CallList, 3> waiting;
  std::thread::id thread;     ///< that submits to it (Order::fair); none where it is a view's
  std::size_t limit = 0;      ///< so many may be with workers at a time; 0: any number
  std::size_t places = 0;     ///< so many are; while any is, the share stays
  bool is_abandoned = false;  ///< nobody submits to it any more

  [[nodiscard]] bool has_place() const noexcept { return limit == 0 || places < limit; }
  [[nodiscard]] bool is_empty() const noexcept;
};

/// All that waits in a pool. Of one priority, the pool's own tasks and those of each view take turns, task by task (round
/// robin), so that a submitter of thousands holds up nobody else.
///
/// Owner: the pool. Threads: under its lock.
class CallQueue {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// How many could go to workers if there were any number of them.
  [[nodiscard]] std::size_t size_of_ready() const noexcept;
  /// True unless its share has as many tasks with workers as it may.
  [[nodiscard]] static bool may_go(const Call& call) noexcept {
    return !call.timed || call.extra()->terms.share == nullptr || call.extra()->terms.share->has_place();
  }

  void push_back(Call& call) noexcept {
    list_of(call).push_back(call);
    ++size_;
  }
  void push_front(Call& call) noexcept {
    list_of(call).push_front(call);
    ++size_;
  }
  void remove(Call& call) noexcept {
    list_of(call).remove(call);
    --size_;
  }
  /// Takes out the one whose turn it is; nullptr if none may go.
  Call* take() noexcept;
  /// Takes out any of them; there must be one.
  Call* take_any() noexcept;
  /// Takes out the first of those of the lowest priority; there must be one.
  Call* take_least() noexcept;

  Share& add_share(std::size_t limit);
  /// That of a thread. Those of others that have nothing here are forgotten whenever one is added.
  Share& share_of(std::thread::id thread);
  /// A share with nobody to submit and nothing to do is forgotten.
  void drop_if_done(const Share& share) noexcept;
  [[nodiscard]] bool has_shares() const noexcept { return !shares_.empty(); }

 private:
  static std::size_t level(const Call& call) noexcept { return static_cast<std::size_t>(call.priority); }
  CallList& list_of(const Call& call) noexcept {
    Share* const share = call.timed ? call.extra()->terms.share : nullptr;
    return (share == nullptr ? own_ : *share).waiting[level(call)];
  }
  /// Of those of one priority, the first of the share whose turn it is among those that `may` go.
  template <class May>
  Call* take_of(std::size_t priority, May may) noexcept;
  /// Those that are `done` go; whose turn it is stays.
  template <class Done>
  void forget(Done done) noexcept;

  Share own_;
  std::vector<std::unique_ptr<Share>> shares_;
  std::size_t turn_ = 0;  ///< whose turn it is: 0 the pool's own, else of shares_[turn_ - 1]
  std::size_t size_ = 0;
};

}  // namespace weft::work
