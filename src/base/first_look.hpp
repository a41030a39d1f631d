#pragma once

#include <algorithm>
#include <cstdint>

namespace weft::base {

/// How long to let pass before the first look for an answer that is under way. A look that comes while the other side writes
/// takes the line away from it, and costs both a transfer; one that comes right after the answer is worth the wait. When
/// that is depends on the task and the machine, so it is learned: 8 steps later after an answer that came just behind the
/// first look, 1 sooner after one that was there, which settles where some 8 of 9 are there (a quantile by stochastic
/// approximation: Robbins and Monro, 1951). Answers that come much later say nothing.
///
/// Threads: one at a time.
class FirstLook {
 public:
  static constexpr std::uint32_t kTurnsMax = 400;

  /// Waits, some 0.1 us at the most.
  void wait() const noexcept {
    // Not by the clock, whose steps are as long as all this; a turn takes about a cycle.
    for (std::uint32_t turn = turns_; turn > 0; --turn) asm volatile("");
  }
  [[nodiscard]] std::uint32_t turns() const noexcept { return turns_; }
  /// The answer was found by the look of this number, 0 the first.
  void found_by(int look) noexcept {
    if (look == 0) {
      turns_ -= turns_ != 0 ? 1 : 0;
    } else if (look <= kNear) {
      turns_ = std::min(turns_ + kLater, kTurnsMax);
    }
  }

 private:
  static constexpr int kNear = 4;
  static constexpr std::uint32_t kLater = 8;
  std::uint32_t turns_ = 0;
};

}  // namespace weft::base
