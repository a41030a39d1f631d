#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/runner.hpp"
#include "report/chart.hpp"

namespace weft::bench {

/// A part of the page: a picture, what it says, and the figures that it is made of.
struct Section {
  std::string id;
  std::string title;
  std::string text;
  std::optional<LineChart> lines;
  std::optional<BarChart> bars;
  std::vector<std::string> findings;  ///< sentences that follow from the figures
  std::vector<const Result*> results;
};

/// Those of which something was measured, in the order of the page. They point into `results`. A new way to start a
/// worker (worker.start.*) or another peer (chart peers.round_trip, peers.pipelined) needs no word here.
std::vector<Section> sections_of(const std::vector<Result>& results);

}  // namespace weft::bench
