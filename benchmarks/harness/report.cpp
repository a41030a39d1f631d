#include "harness/report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace weft::bench {

namespace {

constexpr std::string_view kRow = "{:<{}}  {:>10}  {:>10}  {:>10}  {:>8}  {:<48}  {}\n";

std::string spread_of(const Result& result) {
  if (result.medians.size() < 2) return "";
  return fmt::format("{:.1f} %{}", result.spread() * 100, result.spread() > kSpreadWide ? "!" : "");
}

// One line for each line of a chart: its first and its last point.
void print_series(std::FILE* to, const std::vector<Result>& results, std::size_t width) {
  std::vector<std::pair<std::string, std::vector<const Result*>>> series;
  for (const Result& result : results) {
    if (result.figure.chart.empty()) continue;
    const std::string name = result.figure.name.substr(0, result.figure.name.rfind('.'));
    if (series.empty() ||
        std::none_of(series.begin(), series.end(), [&](const auto& s) { return s.first == name; })) {
      series.push_back({name, {}});
    }
    for (auto& [known, points] : series) {
      if (known == name) points.push_back(&result);
    }
  }
  for (const auto& [name, points] : series) {
    std::string line;
    for (const Result* const point : {points.front(), points.back()}) {
      line += fmt::format("  {:>8} {:>10}", point->figure.name.substr(name.size() + 1),
                          in_words(point->p50, point->figure.unit));
      if (points.size() == 1) break;
    }
    fmt::print(to, "{:<{}}{}\n", name, width, line);
  }
}

}  // namespace

double rounded(double value) { return std::round(value * 100) / 100; }

void print_table(std::FILE* to, const std::vector<Result>& results,
                 const std::vector<Comparison>& comparisons) {
  std::size_t width = 4;
  for (const Result& result : results) {
    if (result.figure.chart.empty()) width = std::max(width, result.figure.name.size());
  }
  fmt::print(to, fmt::runtime(kRow), "name", width, "p50", "p99", "p99.9", "spread", "compared in this run",
             "");
  bool wide = false;
  for (const Result& result : results) {
    if (!result.figure.chart.empty()) continue;
    const std::string& unit = result.figure.unit;
    std::vector<Outcome> outcomes;
    for (const Comparison& comparison : comparisons) {
      if (comparison.figure != result.figure.name) continue;
      if (const auto outcome = compare(comparison, results)) outcomes.push_back(*outcome);
    }
    if (outcomes.empty()) outcomes.emplace_back();
    fmt::print(to, fmt::runtime(kRow), result.figure.name, width, in_words(result.p50, unit),
               result.distribution ? in_words(result.p99, unit) : "",
               result.distribution ? in_words(result.p999, unit) : "", spread_of(result), outcomes[0].text,
               outcomes[0].verdict);
    for (std::size_t i = 1; i < outcomes.size(); ++i) {
      fmt::print(to, fmt::runtime(kRow), "", width, "", "", "", "", outcomes[i].text, outcomes[i].verdict);
    }
    wide = wide || result.spread() > kSpreadWide;
  }
  print_series(to, results, width);
  const std::vector<Target> targets = targets_of(comparisons, results);
  std::size_t met = 0;
  for (const Target& target : targets) {
    met += target.outcome.met ? 1 : 0;
    if (target.outcome.met) continue;
    fmt::print(to, "missed: {:<{}}  {:<48}  {}\n", target.comparison.figure, width, target.outcome.text,
               target.outcome.verdict);
  }
  if (!targets.empty()) fmt::print(to, "{} of {} targets met\n", met, targets.size());
  if (wide) {
    fmt::print(to, "! the repetitions lie more than {:.0f} % apart: something else was running\n",
               kSpreadWide * 100);
  }
}

std::string core_json(const std::vector<Result>& results, const std::vector<Comparison>& comparisons) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Result& result : results) {
    if (!result.figure.chart.empty()) continue;
    nlohmann::ordered_json entry;
    entry["name"] = result.figure.name;
    entry["unit"] = result.figure.unit;
    entry["p50"] = rounded(result.p50);
    if (result.distribution) {
      entry["p99"] = rounded(result.p99);
      entry["p999"] = rounded(result.p999);
    }
    entry["runs"] = result.medians.size();
    entry["spread"] = std::round(result.spread() * 1e4) / 1e4;
    for (const double one : result.medians) entry["medians"].push_back(rounded(one));
    entry["measurements"] = result.measurements;
    for (const Comparison& comparison : comparisons) {
      if (comparison.figure != result.figure.name) continue;
      const auto outcome = compare(comparison, results);
      if (!outcome) continue;
      nlohmann::ordered_json compared{{"text", outcome->text}, {"found", rounded(outcome->found)}};
      if (comparison.wanted != Comparison::Wanted::nothing) {
        compared["wanted"] = comparison.wanted == Comparison::Wanted::at_most ? "at most" : "at least";
        compared["target"] = comparison.target;
        compared["met"] = outcome->met;
      }
      entry["compared"].push_back(std::move(compared));
    }
    all.push_back(std::move(entry));
  }
  return all.dump(1) + "\n";
}

void write_file(const std::string& path, std::string_view content) {
  const std::filesystem::path target{path};
  const std::string scratch = path + ".new";
  std::error_code error;
  if (target.has_parent_path()) std::filesystem::create_directories(target.parent_path(), error);
  errno = 0;
  std::ofstream file{scratch};
  file << content;
  file.close();
  if (!file) throw std::runtime_error{fmt::format("cannot write {}: {}", path, std::strerror(errno))};
  std::filesystem::rename(scratch, target, error);
  if (error) throw std::runtime_error{fmt::format("cannot write {}: {}", path, error.message())};
}

}  // namespace weft::bench
