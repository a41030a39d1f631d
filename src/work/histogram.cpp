#include <algorithm>
#include <bit>
#include <cmath>
#include <weft/histogram.hpp>

namespace weft {

std::size_t Histogram::bucket_of(std::uint64_t ns) noexcept {
  if (ns < kSteps) return ns;  // exact
  // The leading bit says which power of two, the four after it which sixteenth.
  const auto shift = static_cast<std::size_t>(std::bit_width(ns)) - 5;
  return (shift + 1) * kSteps + ((ns >> shift) & (kSteps - 1));
}

std::uint64_t Histogram::upper_ns(std::size_t bucket) noexcept {
  if (bucket < kSteps) return bucket;
  const std::size_t shift = bucket / kSteps - 1;
  return ((kSteps + bucket % kSteps + 1) << shift) - 1;
}

void Histogram::record(std::chrono::nanoseconds duration) {
  if (buckets_.empty()) buckets_.resize(kBuckets);
  const auto positive = std::max(duration, std::chrono::nanoseconds::zero());
  const auto ns = static_cast<std::uint64_t>(positive.count());
  ++buckets_[bucket_of(ns)];
  ++count_;
  sum_ns_ += static_cast<double>(ns);
  max_ = std::max(max_, positive);
}

std::chrono::nanoseconds Histogram::mean() const noexcept {
  if (count_ == 0) return {};
  return std::chrono::nanoseconds{std::llround(sum_ns_ / static_cast<double>(count_))};
}

std::chrono::nanoseconds Histogram::percentile(double percent) const noexcept {
  if (count_ == 0) return {};
  const double wanted = std::ceil(std::clamp(percent, 0.0, 100.0) / 100.0 * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen != 0 && static_cast<double>(seen) >= wanted)
      return std::min(std::chrono::nanoseconds{upper_ns(bucket)}, max_);
  }
  return max_;
}

}  // namespace weft
