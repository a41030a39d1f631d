#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "harness/comparison.hpp"
#include "harness/runner.hpp"

namespace weft::bench {

/// Figures that lie further apart than this from repetition to repetition are marked in the table.
inline constexpr double kSpreadWide = 0.2;

void print_table(std::FILE* to, const std::vector<Result>& results,
                 const std::vector<Comparison>& comparisons);

/// An array of {name, unit, p50, p99, p999, runs, spread, medians, measurements}; single values carry no p99 and p999.
/// Replaces `path` whole or not at all. Throws std::runtime_error.
void write_json(const std::string& path, const std::vector<Result>& results);

}  // namespace weft::bench
