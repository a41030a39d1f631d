#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "harness/comparison.hpp"
#include "harness/machine.hpp"
#include "harness/runner.hpp"
#include "report/statistics.hpp"

namespace weft::bench {

/// A figure of this run beside the same of an earlier one.
struct Change {
  std::string name;
  std::string unit;
  double before = 0;
  double now = 0;
  Interval ratio;         ///< now / before
  std::size_t pairs = 0;  ///< of slices, or of repetitions where the earlier file has no slices
  /// The whole interval lies on one side of 1, and there were enough pairs to say so.
  [[nodiscard]] bool certain() const noexcept { return pairs >= 5 && (ratio.low > 1 || ratio.high < 1); }
  /// Less of a rate, or more of anything else.
  [[nodiscard]] bool worse() const noexcept { return (ratio.value > 1) != (unit == "1/s" || unit == "x"); }
};

/// What the three files of a run are made from.
struct ReportData {
  std::string label;  ///< of what was measured; may be empty
  std::string method;
  std::vector<Fact> machine;
  std::vector<Result> results;
  std::vector<Target> targets;
  std::vector<std::string> absent;  ///< what is not here and so was not measured, and what it would take
  std::vector<std::string> failed;  ///< what was not measured, or only in part, since it failed, and why
  std::string compared_with;        ///< a file; empty where nothing is compared
  std::vector<Change> changes;
};

/// An earlier run's figures: name to its slices' medians (repetitions' where it has no slices).
struct EarlierFigure {
  double p50 = 0;
  std::vector<double> medians;
};
using EarlierRun = std::map<std::string, EarlierFigure>;

/// Reads report.json or core.json. Throws std::runtime_error naming the file and what is wrong with it.
EarlierRun read_earlier(const std::string& path);

/// The figures that both runs have, in the order of this one.
std::vector<Change> changes_since(const EarlierRun& earlier, const std::vector<Result>& results);

/// Prints them as a table.
void print_changes(std::FILE* to, const std::string& path, const std::vector<Change>& changes);

std::string report_json(const ReportData& data);
/// One line a figure, RFC 4180.
std::string report_csv(const ReportData& data);
/// A page that needs nothing beside itself.
std::string report_html(const ReportData& data);

}  // namespace weft::bench
