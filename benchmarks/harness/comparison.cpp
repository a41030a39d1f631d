#include "harness/comparison.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "report/statistics.hpp"

namespace weft::bench {

namespace {

struct Step {
  double from;  // values of this size and more ...
  double unit;  // ... are told in this many
  const char* name;
};

const Result* find(const std::vector<Result>& results, std::string_view name) {
  const auto found = std::find_if(results.begin(), results.end(),
                                  [&](const Result& result) { return result.figure.name == name; });
  return found == results.end() ? nullptr : &*found;
}

// Three digits that mean something, in the greatest of `steps` (falling) that fits.
template <std::size_t N>
std::string scaled(double value, const std::array<Step, N>& steps) {
  const Step* step = &steps.back();
  for (const Step& candidate : steps) {
    if (std::abs(value) >= candidate.from) {
      step = &candidate;
      break;
    }
  }
  const double number = value / step->unit;
  const int decimals = std::abs(number) >= 100 || number == std::floor(number) ? 0
                       : std::abs(number) >= 10                                ? 1
                                                                               : 2;
  return fmt::format("{:.{}f}{}", number, decimals, step->name);
}

double one(const Comparison& comparison, double figure, double against) {
  switch (comparison.kind) {
    case Comparison::Kind::ratio:
    case Comparison::Kind::tail_ratio:
      return against == 0 ? 0 : figure / against;
    case Comparison::Kind::difference:
      return figure - against;
    case Comparison::Kind::value:
      break;
  }
  return figure;
}

std::string words_for(const Comparison& comparison, double value, std::string_view unit) {
  const bool is_ratio =
      comparison.kind == Comparison::Kind::ratio || comparison.kind == Comparison::Kind::tail_ratio;
  return is_ratio ? fmt::format("{:.2f} x", value) : in_words(value, unit);
}

}  // namespace

std::string in_words(double value, std::string_view unit) {
  static constexpr std::array<Step, 4> kTimes{
      {{1e9, 1e9, " s"}, {1e6, 1e6, " ms"}, {1e4, 1e3, " us"}, {0, 1, " ns"}}};
  static constexpr std::array<Step, 4> kRates{
      {{1e9, 1e9, " G/s"}, {1e6, 1e6, " M/s"}, {1e3, 1e3, " k/s"}, {0, 1, "/s"}}};
  static constexpr double kKi = 1024;
  static constexpr std::array<Step, 4> kSizes{{{kKi * kKi * kKi, kKi * kKi * kKi, " GiB"},
                                               {kKi * kKi, kKi * kKi, " MiB"},
                                               {kKi, kKi, " KiB"},
                                               {0, 1, " B"}}};
  if (unit == "ns") return scaled(value, kTimes);
  if (unit == "1/s") return scaled(value, kRates);
  if (unit == "bytes") return scaled(value, kSizes);
  if (unit == "x") return fmt::format("{:.2f} x", value);
  if (unit == "%") return fmt::format("{:.1f} %", value);
  return fmt::format("{:.4g} {}", value, unit);
}

std::optional<Outcome> compare(const Comparison& comparison, const std::vector<Result>& results) {
  const Result* const figure = find(results, comparison.figure);
  const bool alone = comparison.kind == Comparison::Kind::value;
  const Result* const against = alone ? figure : find(results, comparison.against);
  if (figure == nullptr || against == nullptr) return std::nullopt;

  // Slice by slice where both were divided, and otherwise repetition by repetition.
  const bool sliced = figure->slice_medians.size() == against->slice_medians.size();
  const std::vector<double>& mine = sliced ? figure->slice_medians : figure->medians;
  const std::vector<double>& theirs = sliced ? against->slice_medians : against->medians;
  std::vector<double> pairs;
  for (std::size_t i = 0; i < mine.size(); ++i) pairs.push_back(one(comparison, mine[i], theirs[i]));
  Outcome outcome;
  outcome.found = comparison.kind == Comparison::Kind::tail_ratio
                      ? one(comparison, figure->p999, against->p50)
                      : median(pairs);
  const std::string_view unit = figure->figure.unit;
  switch (comparison.kind) {
    case Comparison::Kind::ratio:
      outcome.text = fmt::format("{} {}", words_for(comparison, outcome.found, unit), comparison.against);
      break;
    case Comparison::Kind::tail_ratio:
      outcome.text =
          fmt::format("p99.9 {} {}", words_for(comparison, outcome.found, unit), comparison.against);
      break;
    case Comparison::Kind::difference:
      outcome.text =
          fmt::format("{} beyond {}", words_for(comparison, outcome.found, unit), comparison.against);
      break;
    case Comparison::Kind::value:
      outcome.text = words_for(comparison, outcome.found, unit);
      break;
  }
  if (comparison.wanted == Comparison::Wanted::nothing) return outcome;

  const bool at_most = comparison.wanted == Comparison::Wanted::at_most;
  const double missed_by = at_most ? outcome.found - comparison.target : comparison.target - outcome.found;
  outcome.met = missed_by <= 0;
  outcome.verdict =
      fmt::format("target {} {}: {}", at_most ? "<=" : ">=", words_for(comparison, comparison.target, unit),
                  outcome.met ? "ok" : "missed by " + words_for(comparison, missed_by, unit));
  return outcome;
}

std::vector<Target> targets_of(const std::vector<Comparison>& comparisons,
                               const std::vector<Result>& results) {
  std::vector<Target> targets;
  for (const Comparison& comparison : comparisons) {
    if (comparison.wanted == Comparison::Wanted::nothing) continue;
    if (auto outcome = compare(comparison, results)) targets.push_back({comparison, *std::move(outcome)});
  }
  return targets;
}

}  // namespace weft::bench
