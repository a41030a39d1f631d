#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/benchmark.hpp"

namespace weft::bench {

/// A point of a latency's distribution: the part (0 to 1) of all measurements that took at most so many ns.
struct Quantile {
  double part;
  double value;
};

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
  /// All repetitions together, up to p99.99 or to where fewer than ten measurements are left.
  std::vector<Quantile> curve = {};

  /// How far the repetitions lie apart: (greatest - least) / median of their p50.
  [[nodiscard]] double spread() const noexcept;
};

/// How far a run is.
struct RunStep {
  std::string_view benchmark;  ///< what comes now
  std::size_t repetition;      ///< counted from 0
  double done;                 ///< part of the whole, 0 to 1
};

/// Called before each slice of each benchmark.
using Progress = std::function<void(const RunStep&)>;

/// How often, and about how long at the most: on a slow machine there are fewer slices, and a repetition that is not
/// likely to end in time is not begun.
struct Repetitions {
  std::size_t count = 3;
  std::chrono::seconds budget{0};  ///< 0: whatever it takes
};

/// A benchmark that threw instead of measuring: its slice does not count.
struct Failure {
  std::string benchmark;
  std::string reason;
  friend bool operator==(const Failure&, const Failure&) = default;
};

/// Runs a slice of each benchmark, then the next slice of each, ..., then the undivided ones; and all that again for
/// each repetition. The machine drifts (the CPUs of a guest move, and a cache line takes 110 ns or 390 from one to the
/// other), and A B A B shares the drift out evenly where A A B B would make it look like a difference. The results are
/// in the order of the figures; those of which nothing was measured are left out. `failures` gets each failure once.
std::vector<Result> run_all(const std::vector<Benchmark>& benchmarks, const Settings& settings,
                            const Repetitions& repetitions, const Progress& progress,
                            std::vector<Failure>& failures);

}  // namespace weft::bench
