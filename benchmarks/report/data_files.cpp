// report.json and report.csv.

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/report.hpp"
#include "report/report_data.hpp"

namespace weft::bench {

namespace {

using Json = nlohmann::ordered_json;

// Four digits that mean something are enough of a part; a hundredth of a ns of a time.
double short_number(double value) {
  return std::abs(value) >= 10 ? rounded(value) : std::round(value * 1e5) / 1e5;
}

Json numbers(const std::vector<double>& values) {
  Json all = Json::array();
  for (const double value : values) all.push_back(short_number(value));
  return all;
}

Json figure(const Result& result) {
  Json entry;
  entry["name"] = result.figure.name;
  entry["unit"] = result.figure.unit;
  if (!result.figure.chart.empty()) {
    entry["chart"] = result.figure.chart;
    entry["series"] = result.figure.series;
    entry["x"] = result.figure.x;
  }
  entry["p50"] = short_number(result.p50);
  if (result.distribution) {
    entry["p99"] = short_number(result.p99);
    entry["p999"] = short_number(result.p999);
  }
  entry["runs"] = result.medians.size();
  entry["spread"] = short_number(result.spread());
  entry["too_wide"] = result.spread() > kSpreadWide;
  entry["medians"] = numbers(result.medians);
  entry["slices"] = numbers(result.slice_medians);
  entry["measurements"] = result.measurements;
  for (const Quantile& point : result.curve) {
    entry["curve"].push_back({std::round(point.part * 1e6) / 1e6, short_number(point.value)});
  }
  return entry;
}

// RFC 4180: what has a comma, a quote or a line break stands in quotes, and quotes are doubled.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::string report_json(const ReportData& data) {
  Json report;
  report["format"] = "weft bench 1";
  report["label"] = data.label;
  report["method"] = data.method;
  for (const Fact& fact : data.machine) report["machine"][fact.name] = fact.value;
  report["figures"] = Json::array();
  for (const Result& result : data.results) report["figures"].push_back(figure(result));
  report["targets"] = Json::array();
  for (const Target& target : data.targets) {
    report["targets"].push_back({{"name", target.comparison.figure},
                                 {"text", target.outcome.text},
                                 {"found", short_number(target.outcome.found)},
                                 {"target", target.comparison.target},
                                 {"met", target.outcome.met},
                                 {"verdict", target.outcome.verdict}});
  }
  report["absent"] = data.absent;
  report["failed"] = data.failed;
  if (!data.compared_with.empty()) {
    report["compared_with"] = data.compared_with;
    report["changes"] = Json::array();
    for (const Change& change : data.changes) {
      report["changes"].push_back({{"name", change.name},
                                   {"before", short_number(change.before)},
                                   {"now", short_number(change.now)},
                                   {"ratio", short_number(change.ratio.value)},
                                   {"low", short_number(change.ratio.low)},
                                   {"high", short_number(change.ratio.high)},
                                   {"pairs", change.pairs},
                                   {"certain", change.certain()}});
    }
  }
  // What the machine tells of itself may be no UTF-8.
  return report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string report_csv(const ReportData& data) {
  std::string csv = "name,unit,p50,p99,p999,spread,too_wide,runs,measurements,chart,series,x\r\n";
  for (const Result& result : data.results) {
    const Figure& figure = result.figure;
    csv += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\r\n", csv_field(figure.name),
                       csv_field(figure.unit), short_number(result.p50),
                       result.distribution ? fmt::format("{}", short_number(result.p99)) : "",
                       result.distribution ? fmt::format("{}", short_number(result.p999)) : "",
                       short_number(result.spread()), result.spread() > kSpreadWide ? 1 : 0,
                       result.medians.size(), result.measurements, csv_field(figure.chart),
                       csv_field(figure.series), figure.chart.empty() ? "" : fmt::format("{}", figure.x));
  }
  return csv;
}

}  // namespace weft::bench
