// This run beside an earlier one.

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "report/report_data.hpp"

namespace weft::bench {

EarlierRun read_earlier(const std::string& path) {
  errno = 0;
  std::ifstream file{path};
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    throw std::runtime_error{
        fmt::format("cannot read {}: {}", path, errno != 0 ? std::strerror(errno) : "no file with content")};
  }
  EarlierRun earlier;
  try {
    const auto json = nlohmann::json::parse(text.str());
    const auto& figures = json.is_array() ? json : json.at("figures");
    for (const auto& figure : figures) {
      EarlierFigure& found = earlier[figure.at("name").get<std::string>()];
      found.p50 = figure.at("p50").get<double>();
      const char* const pairs = figure.contains("slices") ? "slices" : "medians";
      if (figure.contains(pairs)) found.medians = figure.at(pairs).get<std::vector<double>>();
    }
  } catch (const nlohmann::json::exception&) {
    throw std::runtime_error{fmt::format("{} is no report.json or core.json of a run", path)};
  }
  return earlier;
}

std::vector<Change> changes_since(const EarlierRun& earlier, const std::vector<Result>& results) {
  std::vector<Change> changes;
  for (const Result& result : results) {
    const auto found = earlier.find(result.figure.name);
    if (found == earlier.end()) continue;
    const EarlierFigure& before = found->second;
    // Slices pair with slices: core.json has repetitions alone, and a quick run has fewer slices than a whole one.
    const bool sliced = before.medians.size() == result.slice_medians.size();
    const PairedRatio paired = paired_ratio(sliced ? result.slice_medians : result.medians, before.medians);
    if (paired.pairs == 0) continue;
    changes.push_back(
        {result.figure.name, result.figure.unit, before.p50, result.p50, paired.ratio, paired.pairs});
  }
  return changes;
}

void print_changes(std::FILE* to, const std::string& path, const std::vector<Change>& changes) {
  std::size_t width = 4;
  for (const Change& change : changes) width = std::max(width, change.name.size());
  fmt::print(to, "\nagainst {}: {} figures in both\n", path, changes.size());
  if (changes.empty()) return;
  fmt::print(to, "{:<{}}  {:>10}  {:>10}  {:>7}  {:<15}\n", "name", width, "before", "now", "ratio", "95 %");
  for (const Change& change : changes) {
    fmt::print(to, "{:<{}}  {:>10}  {:>10}  {:>5.2f} x  {:.2f} to {:.2f}{}\n", change.name, width,
               in_words(change.before, change.unit), in_words(change.now, change.unit), change.ratio.value,
               change.ratio.low, change.ratio.high,
               !change.certain() ? ""
               : change.worse()  ? "  worse"
                                 : "  better");
  }
}

}  // namespace weft::bench
