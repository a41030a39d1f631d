#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace weft::bench {

/// The middle one, or the mean of the middle two; 0 where there are none.
double median(std::vector<double> values) noexcept;

/// (greatest - least) / median; 0 where there are none or the median is 0.
double relative_spread(std::span<const double> values) noexcept;

/// A number and where it lies with 95 % confidence.
struct Interval {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// The median of `values` and its percentile bootstrap interval (Efron, 1979; 2000 resamples, always the same for the
/// same values). Of one value alone the interval is that value; of none all is 0.
Interval bootstrap_median(std::span<const double> values);

/// now[i] / before[i], the median over the pairs: each pair shares what was the same for both, so that it does not
/// count. The interval is the bootstrap's over the pairs. Pairs of which one is not positive are left out; those that
/// are longer than the other list are too.
struct PairedRatio {
  Interval ratio;
  std::size_t pairs = 0;
};
PairedRatio paired_ratio(std::span<const double> now, std::span<const double> before);

struct Point {
  double x = 0;
  double y = 0;
};

/// Where a line through `points` (rising x, all positive) first reaches `level` from below, interpolated between two
/// points as on logarithmic axes. nullopt where it never does; its first x where it begins there already.
std::optional<double> reaches(std::span<const Point> points, double level);

}  // namespace weft::bench
