#include "harness/report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

namespace weft::bench {

namespace {

constexpr std::string_view kRow = "{:<{}}  {:>10}  {:>10}  {:>10}  {:>8}  {:<48}  {}\n";

// A trillionth of a second more or less is noise in the file.
double rounded(double value) { return std::round(value * 100) / 100; }

std::string spread_of(const Result& result) {
  if (result.medians.size() < 2) return "";
  return fmt::format("{:.1f} %{}", result.spread() * 100, result.spread() > kSpreadWide ? "!" : "");
}

}  // namespace

void print_table(std::FILE* to, const std::vector<Result>& results,
                 const std::vector<Comparison>& comparisons) {
  std::size_t width = 4;
  for (const Result& result : results) width = std::max(width, result.figure.name.size());
  fmt::print(to, fmt::runtime(kRow), "name", width, "p50", "p99", "p99.9", "spread", "compared in this run",
             "");
  bool wide = false;
  for (const Result& result : results) {
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
  if (wide) {
    fmt::print(to, "! the repetitions lie more than {:.0f} % apart: something else was running\n",
               kSpreadWide * 100);
  }
}

void write_json(const std::string& path, const std::vector<Result>& results) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Result& result : results) {
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
    all.push_back(std::move(entry));
  }
  const std::filesystem::path target{path};
  if (target.has_parent_path()) std::filesystem::create_directories(target.parent_path());
  const std::string scratch = path + ".new";
  std::ofstream file{scratch};
  file << all.dump(1) << '\n';
  file.close();
  if (!file) throw std::runtime_error{"cannot write " + scratch};
  std::filesystem::rename(scratch, target);
}

}  // namespace weft::bench
