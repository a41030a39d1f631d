#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <weft/execution.hpp>

namespace weft_cli {

/// Executions, given back in the order in which they settle. A pool begins tasks in the order of their submission, so
/// those that can be ready lie near the front: only kWindow of them are asked, however many there are.
///
/// Threads: one.
template <class R>
class Completions {
 public:
  struct Settled {
    std::size_t key;
    weft::Execution<R> execution;
  };

  void add(std::size_t key, weft::Execution<R> execution) { pending_.push_back({key, std::move(execution)}); }

  [[nodiscard]] bool empty() const { return pending_.empty(); }

  /// One that has settled; nullopt if none has after `patience`.
  std::optional<Settled> next_within(std::chrono::milliseconds patience) {
    auto found = first_ready();
    if (found == pending_.end() && !pending_.empty()) {
      pending_.front().execution.wait_for(patience);
      found = first_ready();
    }
    if (found == pending_.end()) return std::nullopt;
    Settled settled = std::move(*found);
    pending_.erase(found);
    return settled;
  }

  /// Takes back what has not begun; what has goes on to its end.
  void cancel(const std::string& reason) {
    for (Settled& settled : pending_) settled.execution.cancel(reason);
  }

 private:
  static constexpr std::size_t kWindow = 256;

  typename std::deque<Settled>::iterator first_ready() {
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(std::min(pending_.size(), kWindow));
    const auto found =
        std::find_if(pending_.begin(), end, [](const Settled& one) { return one.execution.ready(); });
    return found == end ? pending_.end() : found;
  }

  std::deque<Settled> pending_;
};

}  // namespace weft_cli
