#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/benchmark.hpp"

namespace weft::bench {

/// What all repetitions found of one figure.
struct Result {
  Figure figure;
  bool distribution = false;  ///< p99 and p999 mean something
  // Each is the median over the repetitions of that repetition's own, in the figure's unit: one repetition that a
  // neighbour on the machine disturbed does not count.
  double p50 = 0;
  double p99 = 0;
  double p999 = 0;
  std::vector<double> medians;        ///< each repetition's p50, in the order they ran
  std::vector<double> slice_medians;  ///< each slice's
  std::uint64_t measurements = 0;     ///< in all repetitions

  /// How far the repetitions lie apart: (greatest - least) / median of their p50.
  [[nodiscard]] double spread() const noexcept;
};

/// Called before each repetition of each benchmark.
using Progress = std::function<void(std::string_view benchmark, std::size_t repetition)>;

/// Slices in a repetition of the benchmarks that can be divided.
inline constexpr std::size_t kSlices = 20;

/// Runs a slice of each benchmark, then the next slice of each, ..., then the undivided ones; and all that again for
/// each repetition. The machine drifts (the CPUs of a guest move, and a cache line takes 110 ns or 390 from one to the
/// other), and A B A B shares the drift out evenly where A A B B would make it look like a difference. The results are
/// in the order of the figures.
std::vector<Result> run_all(const std::vector<Benchmark>& benchmarks, const Settings& settings,
                            std::size_t repetitions, const Progress& progress);

double median(std::vector<double> values) noexcept;

}  // namespace weft::bench
