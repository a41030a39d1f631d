#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>
#include <weft/export.hpp>

namespace weft {

/// How often something took how long. Durations are counted in buckets that are 1/16 of a power of two wide, so that what
/// is told of them is at most 6 % too high (as HdrHistogram does: Gil Tene, 2012). 8 KiB once something was recorded.
///
/// Owner: the caller; copies. Threads: one at a time.
class WEFT_EXPORT Histogram {
 public:
  /// Negative ones count as 0. The first one allocates.
  void record(std::chrono::nanoseconds duration);

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// 0 if there is none; so for all below.
  [[nodiscard]] std::chrono::nanoseconds mean() const noexcept;
  [[nodiscard]] std::chrono::nanoseconds max() const noexcept { return max_; }
  /// So many percent (0 to 100) took no longer: percentile(50) is the median.
  [[nodiscard]] std::chrono::nanoseconds percentile(double percent) const noexcept;

 private:
  static constexpr std::size_t kSteps = 16;  // a power of two
  static constexpr std::size_t kBuckets = 61 * kSteps;
  static std::size_t bucket_of(std::uint64_t ns) noexcept;
  static std::uint64_t upper_ns(std::size_t bucket) noexcept;

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
  std::chrono::nanoseconds max_{0};
};

}  // namespace weft
