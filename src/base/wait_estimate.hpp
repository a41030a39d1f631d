#pragma once

#include <algorithm>
#include <cstdint>

namespace weft::base {

/// How long the next long wait will be, from those before: so that whoever sleeps can be awake a little before its end and
/// look for it, rather than be woken, which takes a core that has slept some 30 us. What Linux does for fast disks (hybrid
/// polling); mean and deviation as TCP's (Jacobson, "Congestion Avoidance and Control", 1988). Says nothing where waits
/// differ by more than it could gain.
///
/// Threads: one at a time.
class WaitEstimate {
 public:
  /// A wait was so long.
  void took(std::uint64_t ns) noexcept {
    if (waits_ == 0) mean_ = deviation_ = static_cast<std::int64_t>(ns);
    if (waits_ < kWaitsMin) ++waits_;
    // One that is far off counts as one that is just off; several in a row make the deviation grow, and count.
    const std::int64_t most = 4 * deviation_ + kStepNs;
    const std::int64_t error = std::clamp(static_cast<std::int64_t>(ns) - mean_, -most, most);
    mean_ += error / 8;
    deviation_ += ((error < 0 ? -error : error) - deviation_) / 4;
  }
  /// So many ns after its beginning whoever waits should be woken by the clock; 0 if that cannot be told.
  [[nodiscard]] std::uint64_t wake_ns() const noexcept {
    const std::int64_t early = kEarlyNs + 2 * deviation_;
    if (waits_ < kWaitsMin || deviation_ > kDeviationNsMax || mean_ < early + kShortestNs) return 0;
    return static_cast<std::uint64_t>(mean_ - early);
  }
  /// And so many ns after its beginning it was wrong.
  [[nodiscard]] std::uint64_t give_up_ns() const noexcept {
    return static_cast<std::uint64_t>(mean_ + 2 * deviation_ + kLateNs);
  }

 private:
  static constexpr int kWaitsMin = 8;
  /// A timer is up to 50 us late (the kernel's slack), and waking takes as long as what this is to spare.
  static constexpr std::int64_t kEarlyNs = 100'000;
  static constexpr std::int64_t kLateNs = 20'000;
  /// Nothing shorter is slept by the clock.
  static constexpr std::int64_t kShortestNs = 50'000;
  /// With it, looking takes some 360 us at the worst.
  static constexpr std::int64_t kDeviationNsMax = 60'000;
  static constexpr std::int64_t kStepNs = 5'000;
  std::int64_t mean_ = 0;
  std::int64_t deviation_ = 0;
  int waits_ = 0;
};

}  // namespace weft::base
