#include "harness/runner.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "report/statistics.hpp"

namespace weft::bench {

namespace {

// A peer that died leaves the other side waiting for an answer that never comes.
constexpr unsigned kWatchdogSeconds = 300;

// The percentiles of a latency, in ns.
double percentile(const Histogram& ticks, double quantile) {
  return std::max(0.0, ticks.quantile(quantile, Timer::step()) - Timer::cost()) * Timer::tick_ns();
}

// Evenly spaced where each step takes the same part of what is left: p50, p90, p99, ... lie at equal distances.
std::vector<Quantile> curve_of(const Histogram& ticks) {
  constexpr int kStepsADecade = 20;
  constexpr int kDecades = 4;
  std::vector<Quantile> curve;
  for (int step = 0; step <= kDecades * kStepsADecade; ++step) {
    const double left = std::pow(10.0, -static_cast<double>(step) / kStepsADecade);
    if (left * static_cast<double>(ticks.total()) < 10) break;
    curve.push_back({1 - left, percentile(ticks, 1 - left)});
  }
  return curve;
}

// What has been found of one figure so far.
class Collected {
 public:
  void add_slice(const Sample& sample) {
    const bool distribution = sample.ticks.total() > 0;
    slice_medians_.push_back(distribution ? percentile(sample.ticks, 0.5) : sample.value);
    measurements_ += distribution ? sample.ticks.total() : 1;
    repetition_.merge(sample.ticks);
    all_.merge(sample.ticks);
  }

  void end_repetition() {
    if (seen_ == slice_medians_.size()) return;
    if (repetition_.total() > 0) {
      p50_.push_back(percentile(repetition_, 0.5));
      p99_.push_back(percentile(repetition_, 0.99));
      p999_.push_back(percentile(repetition_, 0.999));
    } else {
      p50_.push_back(
          median({slice_medians_.begin() + static_cast<std::ptrdiff_t>(seen_), slice_medians_.end()}));
    }
    seen_ = slice_medians_.size();
    repetition_ = {};
  }

  [[nodiscard]] bool empty() const noexcept { return slice_medians_.empty(); }

  [[nodiscard]] Result result(const Figure& figure) const {
    return {figure,        !p99_.empty(), median(p50_),   median(p99_),
            median(p999_), p50_,          slice_medians_, measurements_, curve_of(all_)};
  }

 private:
  Histogram repetition_;
  Histogram all_;
  std::size_t seen_ = 0;  // slices of finished repetitions
  std::vector<double> p50_, p99_, p999_, slice_medians_;
  std::uint64_t measurements_ = 0;
};

void run_slice(const Benchmark& benchmark, const Settings& settings, std::vector<Collected>& to) {
  ::alarm(kWatchdogSeconds);
  Run run{settings, benchmark.figures.size(), benchmark.sliced ? settings.slices() : 1};
  benchmark.run(run);
  const std::vector<Sample> samples = std::move(run).take();
  for (std::size_t figure = 0; figure < samples.size(); ++figure) to[figure].add_slice(samples[figure]);
  ::alarm(0);
}

}  // namespace

double Result::spread() const noexcept { return relative_spread(medians); }

std::vector<Result> run_all(const std::vector<Benchmark>& benchmarks, const Settings& settings,
                            const Repetitions& repetitions, const Progress& progress) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<Collected>> found;
  std::size_t steps = 0;
  for (const Benchmark& benchmark : benchmarks) {
    found.emplace_back(benchmark.figures.size());
    steps += benchmark.sliced ? settings.slices() : 1;
  }
  steps *= repetitions.count;

  std::size_t step = 0;
  const auto run_those = [&](bool sliced, std::size_t repetition) {
    for (std::size_t i = 0; i < benchmarks.size(); ++i) {
      if (benchmarks[i].sliced != sliced) continue;
      progress({benchmarks[i].figures.front().name, repetition,
                static_cast<double>(step++) / static_cast<double>(steps)});
      run_slice(benchmarks[i], settings, found[i]);
    }
  };
  const auto started = Clock::now();
  for (std::size_t repetition = 0; repetition < repetitions.count; ++repetition) {
    const auto passed = Clock::now() - started;
    const bool in_time =
        repetition == 0 || repetitions.budget.count() == 0 ||
        passed + passed / static_cast<Clock::rep>(repetition) <= Clock::duration{repetitions.budget};
    if (!in_time) break;
    for (std::size_t slice = 0; slice < settings.slices(); ++slice) run_those(true, repetition);
    run_those(false, repetition);
    for (auto& figures : found) {
      for (Collected& figure : figures) figure.end_repetition();
    }
  }

  std::vector<Result> results;
  for (std::size_t i = 0; i < benchmarks.size(); ++i) {
    for (std::size_t figure = 0; figure < found[i].size(); ++figure) {
      if (found[i][figure].empty()) continue;
      results.push_back(found[i][figure].result(benchmarks[i].figures[figure]));
    }
  }
  return results;
}

}  // namespace weft::bench
