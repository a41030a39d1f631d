#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <weft/deadline.hpp>
#include <weft/detail/gate.hpp>
#include <weft/error.hpp>
#include <weft/export.hpp>

namespace weft {

/// Where so many fibers and threads of one process wait for each other, over and over: none goes on before all have
/// arrived.
///
/// Threads: any. Waiting suspends the fiber; a thread without fibers spins for some microseconds and then sleeps.
/// It must outlive those who wait at it.
class WEFT_EXPORT Barrier {
 public:
  /// For `count`, 1 or more. Throws ArgumentError.
  explicit Barrier(std::size_t count) : expected_{count}, gate_{0} {
    if (count == 0) throw ArgumentError{"a barrier is for at least 1"};
  }

  /// Waits until all have arrived. Throws Exhausted where the thread has no descriptors to wait with; it has not
  /// arrived then.
  void arrive_and_wait() { static_cast<void>(detail::came(wait(detail::kNever))); }
  /// False if not all arrived in time: then the caller has not arrived either, and the others go on waiting for it.
  [[nodiscard]] bool arrive_and_wait_for(std::chrono::nanoseconds timeout) {
    return detail::came(wait(detail::deadline_after(timeout)));
  }
  [[nodiscard]] bool arrive_and_wait_until(Deadline deadline) {
    return detail::came(wait(detail::deadline_at(deadline)));
  }
  /// Leaves: from now on the others wait for one less. Aborts if nobody is left to leave.
  void drop() noexcept;

 private:
  detail::Waited wait(std::uint64_t deadline_ns);
  void open() noexcept;

  std::mutex inner_;  // guards what follows, for some instructions at a time
  std::size_t expected_;
  std::size_t arrived_ = 0;
  detail::Gate gate_;
};

}  // namespace weft
