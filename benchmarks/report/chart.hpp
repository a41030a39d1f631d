#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/statistics.hpp"

namespace weft::bench {

/// One axis of a chart. What is shown on it is told by `unit` ("ns", "bytes", "1/s", "x", or "" for plain numbers).
struct Axis {
  enum class Scale {
    linear,      ///< from 0
    log,         ///< values must be positive
    percentile,  ///< parts of 1, from 0.5 on; p90, p99, p99.9 lie at equal distances (as HdrHistogram plots them)
  };
  std::string label;
  std::string unit;
  Scale scale = Scale::linear;
};

/// A line through points of rising x.
struct Line {
  std::string label;
  std::vector<Point> points;
};

struct LineChart {
  Axis x;
  Axis y;
  std::vector<Line> lines;
  bool dots = true;  ///< mark each point; for lines of few of them
};

/// A bar each, from the left, on a logarithmic scale where they lie far apart.
struct Bar {
  std::string label;
  double value = 0;
  bool doubtful = false;  ///< its repetitions lie too far apart
  bool ours = false;      ///< weft's own, in another colour
};
struct BarChart {
  std::string unit;
  std::vector<Bar> bars;
};

/// SVG elements to stand within HTML; colours come from the page's style sheet (classes c0 to c7, `axis`, `grid`).
/// Points that a logarithmic axis cannot show are left out.
std::string draw(const LineChart& chart);
std::string draw(const BarChart& chart);

/// The text with &, <, > and quotes as HTML and XML want them.
std::string escaped(std::string_view text);

/// "100 ns", "1 us", "64 KiB", "10 M/s", "p99.9": short, for an axis.
std::string tick_name(double value, const Axis& axis);

}  // namespace weft::bench
