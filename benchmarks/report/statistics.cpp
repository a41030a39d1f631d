#include "report/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace weft::bench {

double median(std::vector<double> values) noexcept {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double relative_spread(std::span<const double> values) noexcept {
  const double middle = median({values.begin(), values.end()});
  if (values.empty() || middle == 0) return 0;
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  return (*greatest - *least) / middle;
}

Interval bootstrap_median(std::span<const double> values) {
  constexpr std::size_t kResamples = 2000;
  constexpr double kOutside = 0.05;
  const double middle = median({values.begin(), values.end()});
  if (values.size() < 2) return {middle, middle, middle};
  std::mt19937_64 random{1};
  std::vector<double> medians;
  medians.reserve(kResamples);
  std::vector<double> drawn(values.size());
  for (std::size_t i = 0; i < kResamples; ++i) {
    for (double& one : drawn) one = values[random() % values.size()];
    medians.push_back(median(drawn));
  }
  std::sort(medians.begin(), medians.end());
  const auto at = [&](double part) {
    return medians[static_cast<std::size_t>(part * static_cast<double>(kResamples - 1))];
  };
  return {middle, at(kOutside / 2), at(1 - kOutside / 2)};
}

PairedRatio paired_ratio(std::span<const double> now, std::span<const double> before) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(now.size(), before.size()); ++i) {
    if (now[i] > 0 && before[i] > 0) ratios.push_back(now[i] / before[i]);
  }
  return {bootstrap_median(ratios), ratios.size()};
}

std::optional<double> reaches(std::span<const Point> points, double level) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].y < level) continue;
    if (i == 0) return points[0].x;
    const Point& below = points[i - 1];
    const double part = (std::log(level) - std::log(below.y)) / (std::log(points[i].y) - std::log(below.y));
    return std::exp(std::log(below.x) + part * (std::log(points[i].x) - std::log(below.x)));
  }
  return std::nullopt;
}

}  // namespace weft::bench
