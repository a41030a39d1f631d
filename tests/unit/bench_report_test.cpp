// What the report of weft-bench is made with: statistics, the histogram's percentiles, files, pictures.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "harness/comparison.hpp"
#include "harness/histogram.hpp"
#include "harness/report.hpp"
#include "harness/runner.hpp"
#include "report/chart.hpp"
#include "report/charts.hpp"
#include "report/report_data.hpp"
#include "report/statistics.hpp"

namespace {

using namespace weft::bench;  // NOLINT(google-build-using-namespace): what is tested

std::vector<double> normal(std::size_t count, double mean, double deviation, unsigned seed) {
  std::mt19937 random{seed};
  std::normal_distribution<double> distribution{mean, deviation};
  std::vector<double> values(count);
  for (double& value : values) value = distribution(random);
  return values;
}

Result latency(const std::string& name, std::vector<double> medians) {
  Result result;
  result.figure = {name, "ns"};
  result.distribution = true;
  result.p50 = median(medians);
  result.p99 = 2 * result.p50;
  result.p999 = 3 * result.p50;
  result.medians = medians;
  result.slice_medians = std::move(medians);
  result.curve = {{0, 1}, {0.9, 2}, {0.99, 3}};
  return result;
}

TEST(Statistics, median_is_the_middle) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({5, 1, 3}), 3);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(Statistics, spread_is_relative_to_the_median) {
  EXPECT_EQ(relative_spread(std::vector<double>{}), 0);
  EXPECT_EQ(relative_spread(std::vector<double>{0, 0}), 0);
  EXPECT_DOUBLE_EQ(relative_spread(std::vector<double>{90, 100, 120}), 0.3);
}

TEST(Statistics, an_interval_holds_the_median_of_what_was_drawn_from) {
  // The normal approximation of the median's standard error is 1.2533 s / sqrt(n) = 0.886 of 200 values with s = 10.
  const Interval found = bootstrap_median(normal(200, 100, 10, 7));
  EXPECT_LT(found.low, 100);
  EXPECT_GT(found.high, 100);
  EXPECT_GT(found.high - found.low, 2 * 1.96 * 0.886 * 0.5);
  EXPECT_LT(found.high - found.low, 2 * 1.96 * 0.886 * 2);
}

TEST(Statistics, intervals_cover_in_about_95_of_100_cases) {
  int covered = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    const Interval found = bootstrap_median(normal(60, 5, 1, seed));
    covered += found.low <= 5 && 5 <= found.high;
  }
  EXPECT_GE(covered, 88);
  EXPECT_LE(covered, 100);
}

TEST(Statistics, the_same_values_have_the_same_interval) {
  const std::vector<double> values = normal(50, 1, 0.1, 3);
  const Interval once = bootstrap_median(values);
  const Interval again = bootstrap_median(values);
  EXPECT_EQ(once.low, again.low);
  EXPECT_EQ(once.high, again.high);
  const Interval single = bootstrap_median(std::vector<double>{4});
  EXPECT_EQ(single.low, 4);
  EXPECT_EQ(single.high, 4);
}

TEST(Statistics, pairs_take_out_what_both_sides_share) {
  // The machine is ten times as slow in every other slice; the new program is 1.5 times as slow in each.
  std::vector<double> before;
  std::vector<double> now;
  for (int i = 0; i < 40; ++i) {
    const double machine = i % 2 == 0 ? 1 : 10;
    before.push_back(100 * machine);
    now.push_back(150 * machine * (1 + 0.01 * (i % 5)));
  }
  const PairedRatio found = paired_ratio(now, before);
  EXPECT_EQ(found.pairs, 40);
  EXPECT_NEAR(found.ratio.value, 1.53, 0.02);
  EXPECT_GT(found.ratio.low, 1.49);
  EXPECT_LT(found.ratio.high, 1.57);
}

TEST(Statistics, pairs_without_a_ratio_do_not_count) {
  const PairedRatio found = paired_ratio(std::vector<double>{2, 0, 4}, std::vector<double>{1, 1, 0, 9});
  EXPECT_EQ(found.pairs, 1);
  EXPECT_EQ(found.ratio.value, 2);
}

TEST(Statistics, a_level_is_reached_between_two_points) {
  const std::vector<Point> line{{1, 0.1}, {100, 10}, {1000, 20}};
  EXPECT_NEAR(reaches(line, 1).value(), 10, 1e-9);
  EXPECT_EQ(reaches(line, 0.05).value(), 1);
  EXPECT_FALSE(reaches(line, 21));
}

TEST(Histogram, percentiles_are_right_to_their_buckets) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100'000; ++value) histogram.record(value);
  for (const double part : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
    EXPECT_NEAR(histogram.quantile(part), part * 100'000, part * 100'000 * 0.005) << part;
  }
  std::uint64_t seen = 0;
  histogram.each([&](double, std::uint64_t count) { seen += count; });
  EXPECT_EQ(seen, 100'000);
}

TEST(Runner, gives_a_curve_as_far_as_ten_measurements_are_left) {
  const std::vector<Benchmark> benchmarks{{{{"some", "ns"}}, [](weft::bench::Run& run) {
                                             for (std::uint64_t i = 1; i <= 1000; ++i) run.span(i * 1000);
                                           }}};
  std::vector<Failure> failures;
  const auto results = run_all(
      benchmarks, {}, {.count = 2}, [](const RunStep&) {}, failures);
  ASSERT_EQ(results.size(), 1);
  const std::vector<Quantile>& curve = results[0].curve;
  ASSERT_FALSE(curve.empty());
  EXPECT_NEAR(curve.back().part, 1 - 10.0 / 2000, 1e-3);
  for (std::size_t i = 1; i < curve.size(); ++i) EXPECT_GE(curve[i].value, curve[i - 1].value);
}

TEST(Runner, leaves_out_what_could_not_be_measured) {
  int calls = 0;
  const std::vector<Benchmark> benchmarks{
      {{{"absent", "ns"}}, [](weft::bench::Run& run) { run.skip(); }},
      {{{"present", "x"}}, [&](weft::bench::Run& run) { run.value(++calls); }}};
  std::vector<Failure> failures;
  const auto results = run_all(
      benchmarks, {}, {.count = 3}, [](const RunStep&) {}, failures);
  ASSERT_EQ(results.size(), 1);
  EXPECT_EQ(results[0].figure.name, "present");
  EXPECT_EQ(results[0].p50, 2);
}

TEST(Runner, goes_on_after_one_that_failed) {
  int calls = 0;
  const std::vector<Benchmark> benchmarks{
      {{{"fails", "x"}}, [](weft::bench::Run&) { throw std::runtime_error{"why"}; }},
      {{{"sometimes", "x"}}, [&](weft::bench::Run& run) {
         if (++calls == 1) throw std::runtime_error{"once"};
         run.value(calls);
       }}};
  std::vector<Failure> failures;
  const auto results = run_all(
      benchmarks, {}, {.count = 3}, [](const RunStep&) {}, failures);
  ASSERT_EQ(results.size(), 1);
  EXPECT_EQ(results[0].medians, (std::vector<double>{2, 3}));
  EXPECT_EQ(failures, (std::vector<Failure>{{"fails", "why"}, {"sometimes", "once"}}));
}

TEST(Runner, divides_less_where_time_is_short) {
  int calls = 0;
  const std::vector<Benchmark> benchmarks{{{{"slow", "x"}},
                                           [&](weft::bench::Run& run) {
                                             std::this_thread::sleep_for(std::chrono::milliseconds{300});
                                             run.value(++calls);
                                           },
                                           true}};
  std::vector<Failure> failures;
  const auto results = run_all(
      benchmarks, {}, {.count = 1, .budget = std::chrono::seconds{1}}, [](const RunStep&) {}, failures);
  EXPECT_GE(calls, 1);
  EXPECT_LT(calls, 20);
  EXPECT_EQ(results.at(0).slice_medians.size(), static_cast<std::size_t>(calls));
}

TEST(Runner, begins_no_repetition_that_would_come_too_late) {
  int calls = 0;
  const std::vector<Benchmark> benchmarks{{{{"slow", "x"}}, [&](weft::bench::Run& run) {
                                             std::this_thread::sleep_for(std::chrono::milliseconds{600});
                                             run.value(++calls);
                                           }}};
  std::vector<Failure> failures;
  const auto results = run_all(
      benchmarks, {}, {.count = 3, .budget = std::chrono::seconds{1}}, [](const RunStep&) {}, failures);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(results.at(0).medians.size(), 1);
}

TEST(Changes, are_certain_only_where_the_interval_says_so) {
  const EarlierRun earlier{{"same", {100, {100, 99, 101, 100, 100, 102}}},
                           {"worse", {100, {100, 99, 101, 100, 100, 102}}},
                           {"few", {100, {100, 100}}},
                           {"gone", {1, {1}}}};
  const auto changes = changes_since(earlier, {latency("same", {99, 101, 100, 101, 99, 100}),
                                               latency("worse", {150, 151, 149, 152, 150, 151}),
                                               latency("few", {200, 200}), latency("new", {1, 1})});
  ASSERT_EQ(changes.size(), 3);
  EXPECT_FALSE(changes[0].certain());
  EXPECT_TRUE(changes[1].certain());
  EXPECT_TRUE(changes[1].worse());
  EXPECT_FALSE(changes[2].certain()) << "two pairs prove nothing";
}

TEST(Changes, are_read_from_both_files) {
  ReportData data;
  data.results = {latency("a", {1, 2, 3})};
  const std::string path = testing::TempDir() + "weft_bench_report_test.json";
  for (const std::string& text : {report_json(data), core_json(data.results)}) {
    write_file(path, text);
    const EarlierRun earlier = read_earlier(path);
    EXPECT_EQ(earlier.at("a").p50, 2);
    EXPECT_EQ(earlier.at("a").medians, (std::vector<double>{1, 2, 3}));
  }
  for (const char* const wrong :
       {"", "{", "{}", "[1]", "[{\"name\": 1}]", "[{\"name\": \"a\", \"p50\": \"x\"}]"}) {
    write_file(path, wrong);
    EXPECT_THROW(read_earlier(path), std::runtime_error) << wrong;
  }
  std::filesystem::remove(path);
  EXPECT_THROW(read_earlier(path), std::runtime_error);
}

const std::vector<Comparison> kCompared{
    {"a", Comparison::Kind::ratio, "limit", Comparison::Wanted::at_most, 1.5},
    {"a", Comparison::Kind::tail_ratio, "limit", Comparison::Wanted::at_most, 5},
    {"a", Comparison::Kind::value, "", Comparison::Wanted::at_least, 300},
    {"a", Comparison::Kind::ratio, "limit", Comparison::Wanted::nothing, 0},
    {"a", Comparison::Kind::ratio, "not measured", Comparison::Wanted::at_most, 1},
};

TEST(Targets, are_met_or_missed_by_so_much) {
  const std::vector<Result> results{latency("limit", {100, 100, 100}), latency("a", {200, 200, 200})};
  const std::vector<Target> targets = targets_of(kCompared, results);
  ASSERT_EQ(targets.size(), 3) << "what has a target, and both of whose figures were measured";
  EXPECT_EQ(targets[0].outcome.text, "2.00 x limit");
  EXPECT_EQ(targets[0].outcome.verdict, "target <= 1.50 x: missed by 0.50 x");
  EXPECT_FALSE(targets[0].outcome.met);
  EXPECT_EQ(targets[1].outcome.text, "p99.9 6.00 x limit") << "of the median of the other";
  EXPECT_FALSE(targets[1].outcome.met);
  EXPECT_EQ(targets[2].outcome.verdict, "target >= 300 ns: missed by 100 ns");
}

TEST(Targets, are_in_all_that_is_written) {
  ReportData data;
  data.results = {latency("limit", {100, 100, 100}), latency("a", {140, 140, 140})};
  data.targets = targets_of(kCompared, data.results);
  EXPECT_NE(report_json(data).find("\"verdict\": \"target <= 1.50 x: ok\""), std::string::npos);
  EXPECT_NE(report_html(data).find("2 of 3 targets met"), std::string::npos);
  const std::string core = core_json(data.results, kCompared);
  EXPECT_NE(core.find("\"text\": \"1.40 x limit\""), std::string::npos) << core;
  EXPECT_NE(core.find("\"met\": false"), std::string::npos);
  data.targets.clear();
  EXPECT_EQ(report_html(data).find("targets met"), std::string::npos);
}

TEST(Report, csv_quotes_what_would_break_a_line) {
  ReportData data;
  data.results = {latency("a", {1})};
  data.results[0].figure.chart = "payload";
  data.results[0].figure.series = "two \"words\", and more";
  const std::string csv = report_csv(data);
  EXPECT_NE(csv.find("\"two \"\"words\"\", and more\""), std::string::npos) << csv;
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 2);
}

TEST(Report, html_escapes_what_it_did_not_write) {
  ReportData data;
  data.label = "<script>alert(1)</script>";
  data.machine = {{"processor", "a & \"b\" <c>"}};
  data.results = {latency("limit.bounce", {1})};
  const std::string html = report_html(data);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("a &amp; &quot;b&quot; &lt;c&gt;"), std::string::npos);
}

TEST(Report, tells_what_failed_apart_from_what_is_not_here) {
  ReportData data;
  EXPECT_EQ(report_html(data).find("Not measured"), std::string::npos);
  data.failed = {"gRPC, pipelined: it failed: no port"};
  const std::string html = report_html(data);
  EXPECT_EQ(html.find("since they are not here"), std::string::npos);
  EXPECT_NE(html.find("since they failed:</p><ul><li>gRPC, pipelined"), std::string::npos);
  EXPECT_NE(report_json(data).find("\"failed\""), std::string::npos);
}

TEST(Report, tells_of_a_spread_that_is_too_wide) {
  ReportData data;
  data.results = {latency("limit.bounce", {100, 101, 102})};
  EXPECT_EQ(report_html(data).find("too wide"), std::string::npos);
  data.results = {latency("limit.bounce", {100, 101, 150})};
  EXPECT_NE(report_html(data).find("too wide"), std::string::npos);
}

TEST(Report, says_where_a_pool_begins_to_pay) {
  std::vector<Result> results;
  for (const double ns : {100.0, 1000.0, 10000.0}) {
    Result result = latency("break_even." + std::to_string(ns), {ns / 1000});
    result.figure = {result.figure.name, "x", "break_even", "a pool of 2", ns};
    results.push_back(result);
  }
  const auto sections = sections_of(results);
  ASSERT_EQ(sections.size(), 1);
  EXPECT_EQ(sections[0].findings.at(0), "For tasks of 1000 ns and more, a pool of 2 beats the loop.");
}

TEST(Chart, leaves_out_what_a_logarithmic_axis_cannot_show) {
  const LineChart chart{{"x", "", Axis::Scale::log},
                        {"y", "ns", Axis::Scale::log},
                        {{"line", {{0, 1}, {1, 0}, {2, std::nan("")}, {4, 5}, {8, 9}}}}};
  const std::string svg = draw(chart);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  std::size_t dots = 0;
  for (std::size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1))
    ++dots;
  EXPECT_EQ(dots, 2);
}

TEST(Chart, survives_having_nothing_to_show) {
  for (const auto scale : {Axis::Scale::linear, Axis::Scale::log, Axis::Scale::percentile}) {
    const std::string svg = draw(LineChart{{"x", "", scale}, {"y", "", scale}, {}});
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
  }
  EXPECT_EQ(draw(BarChart{"ns", {{"nothing", 0}}}).find("nan"), std::string::npos);
}

TEST(Chart, names_marks_shortly) {
  const Axis time{"", "ns", Axis::Scale::log};
  EXPECT_EQ(tick_name(100, time), "100 ns");
  EXPECT_EQ(tick_name(1000, time), "1 us");
  EXPECT_EQ(tick_name(2e6, time), "2 ms");
  EXPECT_EQ(tick_name(65536, {"", "bytes", Axis::Scale::log}), "64 KiB");
  EXPECT_EQ(tick_name(0.9999, {"", "", Axis::Scale::percentile}), "p99.99");
}

}  // namespace
