// report.html: one page that needs nothing beside itself.

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "harness/report.hpp"
#include "report/chart.hpp"
#include "report/charts.hpp"
#include "report/report_data.hpp"
#include "report/style.hpp"

namespace weft::bench {

namespace {

std::string cell(std::string_view text) { return fmt::format("<td>{}</td>", escaped(text)); }

std::string spread_cell(const Result& result) {
  if (result.medians.size() < 2) return "<td>one run</td>";
  const bool wide = result.spread() > kSpreadWide;
  return fmt::format("<td{}>{:.1f} %{}</td>", wide ? " class=\"wide\"" : "", result.spread() * 100,
                     wide ? " too wide" : "");
}

std::string table_of(const std::vector<const Result*>& results) {
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th>name</th><th>p50</th><th>p99</th><th>p99.9</th>"
      "<th>spread</th></tr></thead><tbody>\n";
  for (const Result* const result : results) {
    const std::string& unit = result->figure.unit;
    html += "<tr>" + cell(result->figure.name) + cell(in_words(result->p50, unit)) +
            cell(result->distribution ? in_words(result->p99, unit) : "") +
            cell(result->distribution ? in_words(result->p999, unit) : "") + spread_cell(*result) + "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string legend(const LineChart& chart) {
  std::string html = "<ul class=\"legend\">";
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    html += fmt::format("<li><span class=\"key c{}{}\"></span>{}</li>", i % 8, i >= 8 ? " dashed" : "",
                        escaped(chart.lines[i].label));
  }
  return html + "</ul>\n";
}

std::string section(const Section& section) {
  std::string html = fmt::format("<section id=\"{}\"><h2>{}</h2>\n<p>{}</p>\n", section.id,
                                 escaped(section.title), escaped(section.text));
  if (section.lines) html += legend(*section.lines) + draw(*section.lines);
  if (section.bars) html += draw(*section.bars);
  for (const std::string& finding : section.findings)
    html += "<p class=\"finding\">" + escaped(finding) + "</p>\n";
  const auto wide = std::count_if(section.results.begin(), section.results.end(),
                                  [](const Result* result) { return result->spread() > kSpreadWide; });
  if (wide > 0) {
    html += fmt::format(
        "<p class=\"wide\">{} of {} figures have repetitions that lie more than {:.0f} % apart: "
        "something else was running, do not quote those marked in the table.</p>\n",
        wide, section.results.size(), kSpreadWide * 100);
  }
  return html + fmt::format("<details><summary>{} figures</summary>\n", section.results.size()) +
         table_of(section.results) + "</details></section>\n";
}

std::string targets_of(const ReportData& data) {
  if (data.targets.empty()) return "";
  const auto met = std::count_if(data.targets.begin(), data.targets.end(),
                                 [](const Target& target) { return target.outcome.met; });
  std::string html = fmt::format(
      "<section id=\"targets\"><h2>What was to be reached</h2>\n<p>Against the limit that the machine sets, "
      "or a peer, in the same run. <span class=\"finding\">{} of {} targets met.</span></p>\n<div "
      "class=\"scroll\"><table><thead><tr><th>name</th><th>found</th><th></th></tr></thead><tbody>\n",
      met, data.targets.size());
  for (const Target& target : data.targets) {
    html +=
        fmt::format("<tr>{}{}<td{}>{}</td></tr>\n", cell(target.comparison.figure), cell(target.outcome.text),
                    target.outcome.met ? "" : " class=\"wide\"", escaped(target.outcome.verdict));
  }
  return html + "</tbody></table></div></section>\n";
}

std::string changes_of(const ReportData& data) {
  if (data.compared_with.empty()) return "";
  std::string html = fmt::format(
      "<section id=\"changes\"><h2>Against {}</h2>\n<p>Now / before, the median over pairs of slices in the "
      "same place of both runs, with its 95 % bootstrap interval. Look at the limits first: what they "
      "changed, the machine did.</p>\n<div "
      "class=\"scroll\"><table><thead><tr><th>name</th><th>before</th><th>now</th><th>ratio</th>"
      "<th>95 %</th><th></th></tr></thead><tbody>\n",
      escaped(data.compared_with));
  for (const Change& change : data.changes) {
    html += "<tr>" + cell(change.name) + cell(in_words(change.before, change.unit)) +
            cell(in_words(change.now, change.unit)) + cell(fmt::format("{:.2f} x", change.ratio.value)) +
            cell(fmt::format("{:.2f} to {:.2f}", change.ratio.low, change.ratio.high)) +
            cell(!change.certain() ? ""
                 : change.worse()  ? "worse"
                                   : "better") +
            "</tr>\n";
  }
  return html + "</tbody></table></div></section>\n";
}

std::string list_of(const char* heading, const std::vector<std::string>& entries) {
  if (entries.empty()) return "";
  std::string html = fmt::format("<p>{}</p><ul>", heading);
  for (const std::string& entry : entries) html += "<li>" + escaped(entry) + "</li>";
  return html + "</ul>\n";
}

std::string facts_of(const ReportData& data) {
  std::string html = "<section id=\"machine\"><h2>Machine and method</h2>\n<dl>\n";
  for (const Fact& fact : data.machine) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(fact.name), escaped(fact.value));
  }
  html += fmt::format("</dl>\n<p>{}</p>\n", escaped(data.method));
  html += list_of("Not measured, since they are not here:", data.absent);
  html += list_of("Not measured, since they failed:", data.failed);
  return html + "</section>\n";
}

}  // namespace

std::string report_html(const ReportData& data) {
  const std::vector<Section> sections = sections_of(data.results);
  const std::string title = "What inter-process communication costs here";
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light "
      "dark\">\n<title>{}</title>\n<style>{}</style></head>\n<body>\n"
      "<h1>{}</h1>\n<p>{}weft bench, {}</p>\n",
      title, kStyle, title, escaped(data.label.empty() ? "" : data.label + ", "),
      escaped(data.machine.empty() ? "" : data.machine.front().value));
  html += "<nav><ul>";
  for (const Section& one : sections) {
    html += fmt::format("<li><a href=\"#{}\">{}</a></li>", one.id, escaped(one.title));
  }
  if (!data.targets.empty()) html += "<li><a href=\"#targets\">What was to be reached</a></li>";
  html += "<li><a href=\"#machine\">Machine and method</a></li></ul></nav>\n";
  html += changes_of(data);
  for (const Section& one : sections) html += section(one);
  html += targets_of(data);
  return html + facts_of(data) + "</body></html>\n";
}

}  // namespace weft::bench
