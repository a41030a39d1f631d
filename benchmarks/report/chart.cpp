#include "report/chart.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "harness/comparison.hpp"

namespace weft::bench {

namespace {

constexpr std::size_t kColors = 8;
constexpr double kWidth = 480;
constexpr double kHeight = 300;
constexpr double kLeft = 64;
constexpr double kRight = 16;
constexpr double kTop = 10;
constexpr double kBottom = 44;

bool shown(double value, Axis::Scale scale) {
  return std::isfinite(value) && (scale != Axis::Scale::log || value > 0) &&
         (scale != Axis::Scale::percentile || (value >= 0.5 && value < 1));
}

// Where a value lies on an axis before that is stretched to its length.
double place(double value, Axis::Scale scale) {
  switch (scale) {
    case Axis::Scale::log:
      return std::log10(value);
    case Axis::Scale::percentile:
      return -std::log10(1 - value);
    case Axis::Scale::linear:
      break;
  }
  return value;
}

double nice_step(double range) {
  const double raw = range / 5;
  const double decade = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * decade) return factor * decade;
  }
  return 10 * decade;
}

// An axis with its ends and marks.
class Ruler {
 public:
  Ruler(const Axis& axis, std::vector<double> values) : axis_{axis} {
    std::erase_if(values, [&](double value) { return !shown(value, axis.scale); });
    if (values.empty()) values.push_back(1);
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    switch (axis.scale) {
      case Axis::Scale::linear:
        set_linear(*greatest);
        break;
      case Axis::Scale::log:
        set_log(*least, *greatest);
        break;
      case Axis::Scale::percentile:
        set_percentile(*greatest);
        break;
    }
  }

  /// 0 to 1 within the axis.
  [[nodiscard]] double part(double value) const {
    return (place(value, axis_.scale) - low_) / (high_ - low_);
  }
  [[nodiscard]] const std::vector<double>& ticks() const noexcept { return ticks_; }

 private:
  void set_linear(double greatest) {
    // Bytes are told in KiB and MiB, whole ones of which make better marks.
    const double unit =
        axis_.unit == "bytes" && greatest >= 1024 ? std::exp2(10 * std::floor(std::log2(greatest) / 10)) : 1;
    const double step = nice_step(greatest > 0 ? greatest / unit : 1) * unit;
    high_ = std::ceil(greatest / step) * step;
    if (high_ <= 0) high_ = step;
    for (double tick = 0; tick <= high_ * 1.0001; tick += step) ticks_.push_back(tick);
  }

  void set_log(double least, double greatest) {
    // Sizes have marks at powers of 16, everything else at decades, with 2 and 5 in between where those are few.
    const double base = axis_.unit == "bytes" ? 16 : 10;
    const bool few = base == 10 && greatest / least < 200;
    low_ = std::log10(least);
    high_ = std::log10(greatest);
    if (high_ - low_ < 0.3) {
      low_ -= 0.15;
      high_ += 0.15;
    }
    const double pad = (high_ - low_) * 0.03;
    low_ -= pad;
    high_ += pad;
    const double first = base == 10 ? std::pow(10.0, std::floor(low_)) : 4;
    for (double decade = first; std::log10(decade) <= high_; decade *= base) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor > 1 && !few) break;
        const double at = std::log10(decade * factor);
        if (at >= low_ && at <= high_) ticks_.push_back(decade * factor);
      }
    }
  }

  void set_percentile(double greatest) {
    // From the median on: below it there is little to see.
    low_ = place(0.5, axis_.scale);
    high_ = std::max(1.0, place(greatest, axis_.scale));
    for (const double tick : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
      if (place(tick, axis_.scale) <= high_ + 0.01) ticks_.push_back(tick);
    }
  }

  Axis axis_;
  double low_ = 0;
  double high_ = 1;
  std::vector<double> ticks_;
};

double across(const Ruler& ruler, double value) {
  return kLeft + ruler.part(value) * (kWidth - kLeft - kRight);
}

double up(const Ruler& ruler, double value) {
  return kHeight - kBottom - ruler.part(value) * (kHeight - kTop - kBottom);
}

std::vector<double> values_of(const LineChart& chart, double Point::*coordinate) {
  std::vector<double> values;
  for (const Line& line : chart.lines) {
    for (const Point& point : line.points) values.push_back(point.*coordinate);
  }
  return values;
}

std::string text(double x, double y, std::string_view anchor, std::string_view content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     escaped(content));
}

std::string frame(const LineChart& chart, const Ruler& x, const Ruler& y) {
  std::string svg;
  for (const double tick : x.ticks()) {
    const double at = across(x, tick);
    svg += fmt::format("<path class=\"grid\" d=\"M{0:.1f} {1}V{2}\"/>\n", at, kTop, kHeight - kBottom);
    // A name in the corner would be cut off.
    svg += text(at, kHeight - kBottom + 16, at > kWidth - 2 * kRight ? "end" : "middle",
                tick_name(tick, chart.x));
  }
  for (const double tick : y.ticks()) {
    const double at = up(y, tick);
    svg += fmt::format("<path class=\"grid\" d=\"M{0} {1:.1f}H{2}\"/>\n", kLeft, at, kWidth - kRight);
    svg += text(kLeft - 6, at + 4, "end", tick_name(tick, chart.y));
  }
  svg += fmt::format("<path class=\"axis\" d=\"M{0} {1}V{2}H{3}\"/>\n", kLeft, kTop, kHeight - kBottom,
                     kWidth - kRight);
  svg += text((kLeft + kWidth - kRight) / 2, kHeight - 8, "middle", chart.x.label);
  return svg;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        // Control characters have no place in XML.
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n') result += c;
    }
  }
  return result;
}

std::string tick_name(double value, const Axis& axis) {
  if (axis.scale == Axis::Scale::percentile) return fmt::format("p{:g}", value * 100);
  struct Step {
    double from;
    const char* name;
  };
  static constexpr Step kTimes[] = {{1e9, " s"}, {1e6, " ms"}, {1e3, " us"}, {0, " ns"}};
  static constexpr Step kRates[] = {{1e9, " G/s"}, {1e6, " M/s"}, {1e3, " k/s"}, {0, "/s"}};
  static constexpr Step kSizes[] = {{1U << 30, " GiB"}, {1U << 20, " MiB"}, {1U << 10, " KiB"}, {0, " B"}};
  const Step* steps = axis.unit == "ns"      ? kTimes
                      : axis.unit == "1/s"   ? kRates
                      : axis.unit == "bytes" ? kSizes
                                             : nullptr;
  if (steps == nullptr) return fmt::format("{:.4g}{}", value, axis.unit == "x" ? " x" : "");
  while (value < steps->from * 0.9999) ++steps;
  return fmt::format("{:.4g}{}", steps->from > 0 ? value / steps->from : value, steps->name);
}

std::string draw(const LineChart& chart) {
  const Ruler x{chart.x, values_of(chart, &Point::x)};
  const Ruler y{chart.y, values_of(chart, &Point::y)};
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
                                kHeight, escaped(chart.y.label + " against " + chart.x.label));
  svg += frame(chart, x, y);
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    const Line& line = chart.lines[i];
    std::string path;
    std::string dots;
    for (const Point& point : line.points) {
      if (!shown(point.x, chart.x.scale) || !shown(point.y, chart.y.scale)) continue;
      const double at_x = across(x, point.x);
      const double at_y = up(y, point.y);
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", at_x, at_y);
      if (!chart.dots) continue;
      dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{}: {}, {}</title></circle>\n",
                          at_x, at_y, escaped(line.label), escaped(tick_name(point.x, chart.x)),
                          escaped(in_words(point.y, chart.y.unit)));
    }
    if (path.empty()) continue;
    svg += fmt::format("<g class=\"line c{}{}\"><path d=\"{}\"><title>{}</title></path>\n{}</g>\n",
                       i % kColors, i >= kColors ? " dashed" : "", path, escaped(line.label), dots);
  }
  return svg + "</svg>\n";
}

std::string draw(const BarChart& chart) {
  constexpr double kRow = 34;
  double least = std::numeric_limits<double>::max();
  double greatest = 0;
  for (const Bar& bar : chart.bars) {
    if (bar.value <= 0) continue;
    least = std::min(least, bar.value);
    greatest = std::max(greatest, bar.value);
  }
  const bool log = greatest > 20 * least;
  const double height = kRow * static_cast<double>(chart.bars.size()) + 4;
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\">\n", kWidth, height);
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double top = kRow * static_cast<double>(i);
    double part = greatest > 0 ? bar.value / greatest : 0;
    // The shortest bar has a tenth of the longest one's length.
    if (log) part = bar.value > 0 ? 0.1 + 0.9 * std::log(bar.value / least) / std::log(greatest / least) : 0;
    svg += text(0, top + 14, "start", bar.label);
    svg += text(kWidth, top + 14, "end", in_words(bar.value, chart.unit) + (bar.doubtful ? " (!)" : ""));
    svg +=
        fmt::format("<rect class=\"bar c{}\" x=\"0\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"9\" rx=\"2\"/>\n",
                    bar.ours ? 0 : 1, top + 19, std::max(1.0, part * kWidth));
  }
  return svg + "</svg>\n";
}

}  // namespace weft::bench
