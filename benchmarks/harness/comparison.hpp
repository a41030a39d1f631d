#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/runner.hpp"

namespace weft::bench {

/// What a figure is held against in the same run.
struct Comparison {
  enum class Kind {
    ratio,       ///< the figure divided by `against`
    tail_ratio,  ///< the figure's p99.9 divided by the p50 of `against`
    difference,  ///< the figure minus `against`, in its unit
    value,       ///< the figure itself
  };
  enum class Wanted { nothing, at_most, at_least };

  std::string figure;
  Kind kind = Kind::ratio;
  std::string against;  ///< another figure; unused for `value`
  Wanted wanted = Wanted::nothing;
  double target = 0;
};

/// How it came out.
struct Outcome {
  double found = 0;  ///< the median over the pairs that ran beside each other
  bool met = true;
  std::string text;     ///< "1.02 x limit.bounce"
  std::string verdict;  ///< "target <= 1.15 x: ok", or what it missed it by; empty without a target
};

/// nullopt where one of the figures was not measured in this run.
std::optional<Outcome> compare(const Comparison& comparison, const std::vector<Result>& results);

/// A comparison that was wanted to come out in some way, and how it did.
struct Target {
  Comparison comparison;
  Outcome outcome;
};

/// Those of which both figures were measured, in their order.
std::vector<Target> targets_of(const std::vector<Comparison>& comparisons,
                               const std::vector<Result>& results);

/// "262 ns", "24.1 ms", "12.3 M/s", "1.02 MiB".
std::string in_words(double value, std::string_view unit);

}  // namespace weft::bench
