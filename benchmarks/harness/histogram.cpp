#include "harness/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace weft::bench {

Histogram::Histogram() : counts_(kBuckets) {}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t index = 0; index < counts_.size(); ++index) counts_[index] += other.counts_[index];
  total_ += other.total_;
}

std::vector<Histogram::Group> Histogram::groups(double step) const {
  std::vector<Group> all;
  double first = 0;
  for (std::size_t index = 0; index < counts_.size(); ++index) {
    if (counts_[index] == 0) continue;
    const auto count = static_cast<double>(counts_[index]);
    const double value = middle_of(index);
    if (!all.empty() && value - first <= step / 2) {
      Group& group = all.back();
      group.value = (group.value * group.count + value * count) / (group.count + count);
      group.count += count;
    } else {
      all.push_back({value, count});
      first = value;
    }
  }
  return all;
}

double Histogram::quantile(double quantile, double step) const {
  if (total_ == 0) return 0;
  const std::vector<Group> all = groups(step);
  const double rank = quantile * static_cast<double>(total_);
  double seen = 0;
  std::size_t i = 0;
  for (; i + 1 < all.size() && seen + all[i].count < rank; ++i) seen += all[i].count;
  // Half a step to each side, but not beyond the middle between two groups.
  const double below = i > 0 ? std::min(step, all[i].value - all[i - 1].value) / 2 : step / 2;
  const double above = i + 1 < all.size() ? std::min(step, all[i + 1].value - all[i].value) / 2 : step / 2;
  const double part = std::clamp((rank - seen) / all[i].count, 0.0, 1.0);
  return std::max(0.0, all[i].value - below + (below + above) * part);
}

double Histogram::middle_of(std::size_t index) noexcept {
  if (index < (std::size_t{2} << kBits)) return static_cast<double>(index);
  const std::size_t shift = (index >> kBits) - 1;
  const double low = std::ldexp(static_cast<double>(index - (shift << kBits)), static_cast<int>(shift));
  return low + std::ldexp(0.5, static_cast<int>(shift));
}

}  // namespace weft::bench
