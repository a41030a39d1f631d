#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <weft/deadline.hpp>
#include <weft/detail/waited.hpp>
#include <weft/error.hpp>
#include <weft/export.hpp>

namespace weft {

namespace detail {

/// The book of a rate limit. Threads: one at a time.
class WEFT_EXPORT TokenBucket {
 public:
  /// Throws ArgumentError.
  TokenBucket(std::size_t permits, std::chrono::nanoseconds interval);
  [[nodiscard]] bool has(std::size_t count) const noexcept { return count != 0 && count <= permits_; }
  /// When `count` permits may be used: at `now_ns` or later. 0, and nothing was used, if that is not by `deadline_ns`.
  [[nodiscard]] std::uint64_t take(std::size_t count, std::uint64_t now_ns,
                                   std::uint64_t deadline_ns) noexcept;

 private:
  const std::size_t permits_;
  const std::uint64_t step_ns_;   // in which one permit comes
  std::uint64_t full_at_ns_ = 0;  // when all that was taken will have come again
};

inline TokenBucket::TokenBucket(std::size_t permits, std::chrono::nanoseconds interval)
    : permits_{permits}, step_ns_{permits == 0 ? 0 : static_cast<std::uint64_t>(interval.count()) / permits} {
  if (interval <= std::chrono::nanoseconds::zero() || step_ns_ == 0)
    throw ArgumentError{"a rate limit needs 1 permit at least, and an interval of 1 ns at least for each"};
}

}  // namespace detail

/// So many permits an interval, and no more: a token bucket, which fills evenly and is full at first. So at most
/// `permits` come at once, and in any stretch of time at most `permits` more than fill it evenly. First come, first
/// served. Nothing is kept but one time: the virtual scheduling algorithm of ITU-T I.371 (GCRA).
///
/// Threads: any. Waiting suspends the fiber; a thread without fibers sleeps. It must outlive those who wait for it.
class WEFT_EXPORT RateLimit {
 public:
  /// `permits`, 1 or more, in each `interval`, which has at least one nanosecond for each. Throws ArgumentError.
  RateLimit(std::size_t permits, std::chrono::nanoseconds interval) : bucket_{permits, interval} {}

  /// Waits until it is the caller's turn to use `count` permits. Throws ArgumentError where an interval has not so
  /// many, or for 0; Exhausted where the thread has no descriptors to wait with.
  void acquire(std::size_t count = 1) { static_cast<void>(take(count, detail::kNever)); }
  /// False, and nothing was used, if it would have to wait. Throws ArgumentError.
  [[nodiscard]] bool try_acquire(std::size_t count = 1) { return take(count, 0); }
  /// False, at once and nothing was used, if its turn does not come within `timeout`. Throws as acquire() does.
  [[nodiscard]] bool acquire_for(std::chrono::nanoseconds timeout, std::size_t count = 1) {
    return take(count, detail::deadline_after(timeout));
  }
  [[nodiscard]] bool acquire_until(Deadline deadline, std::size_t count = 1) {
    return take(count, detail::deadline_at(deadline));
  }

 private:
  bool take(std::size_t count, std::uint64_t deadline_ns) {
    if (!bucket_.has(count))
      throw ArgumentError{"a rate limit gives 1 permit at least, and those of an interval at most"};
    return detail::came(wait(count, deadline_ns));
  }
  detail::Waited wait(std::size_t count, std::uint64_t deadline_ns);

  std::mutex inner_;  // guards the bucket, for some instructions at a time
  detail::TokenBucket bucket_;
};

}  // namespace weft
