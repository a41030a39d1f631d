#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "harness/comparison.hpp"
#include "harness/runner.hpp"

namespace weft::bench {

/// Figures that lie further apart than this from repetition to repetition are marked in the table.
inline constexpr double kSpreadWide = 0.2;

/// Two digits behind the point: a trillionth of a second more or less is noise in a file.
double rounded(double value);

/// Figures that are points of a chart are told in one line for each of its lines. Behind them stands what was to be
/// reached and was not.
void print_table(std::FILE* to, const std::vector<Result>& results,
                 const std::vector<Comparison>& comparisons);

/// An array of {name, unit, p50, p99, p999, runs, spread, medians, measurements, compared}; single values carry no p99 and
/// p999, and `compared` is {text, found, target, wanted, met} for each comparison that the figure has. Figures that are
/// points of a chart are left out.
std::string core_json(const std::vector<Result>& results, const std::vector<Comparison>& comparisons = {});

/// Replaces `path` whole or not at all; makes the folder that it lies in. Throws std::runtime_error naming the file.
void write_file(const std::string& path, std::string_view content);

}  // namespace weft::bench
