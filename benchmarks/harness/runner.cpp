#include "harness/runner.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
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
    return {figure, !p99_.empty(),  median(p50_),  median(p99_),  median(p999_),
            p50_,   slice_medians_, measurements_, curve_of(all_)};
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
  struct Off {
    ~Off() { ::alarm(0); }
  } off;
  benchmark.run(run);
  const std::vector<Sample> samples = std::move(run).take();
  for (std::size_t figure = 0; figure < samples.size(); ++figure) to[figure].add_slice(samples[figure]);
}

}  // namespace

double Result::spread() const noexcept { return relative_spread(medians); }

std::vector<Result> run_all(const std::vector<Benchmark>& benchmarks, const Settings& settings,
                            const Repetitions& repetitions, const Progress& progress,
                            std::vector<Failure>& failures) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<Collected>> found;
  for (const Benchmark& benchmark : benchmarks) found.emplace_back(benchmark.figures.size());
  const auto divided =
      std::count_if(benchmarks.begin(), benchmarks.end(), [](const Benchmark& one) { return one.sliced; });
  const std::size_t steps_divided = static_cast<std::size_t>(divided) * settings.slices();
  const std::size_t steps_whole = benchmarks.size() - static_cast<std::size_t>(divided);

  // What is divided is taken to take half of a repetition's time, and so is the rest.
  std::size_t step = 0;
  const auto part_done = [&](bool sliced, std::size_t repetition) {
    const std::size_t all = sliced ? steps_divided : steps_whole;
    const double part = static_cast<double>(step++) / static_cast<double>(all);
    const double of_repetition =
        steps_divided == 0 || steps_whole == 0 ? part : part / 2 + (sliced ? 0 : 0.5);
    return (static_cast<double>(repetition) + of_repetition) / static_cast<double>(repetitions.count);
  };
  const auto run_those = [&](bool sliced, std::size_t repetition) {
    for (std::size_t i = 0; i < benchmarks.size(); ++i) {
      if (benchmarks[i].sliced != sliced) continue;
      const std::string& name = benchmarks[i].figures.front().name;
      progress({name, repetition, part_done(sliced, repetition)});
      try {
        run_slice(benchmarks[i], settings, found[i]);
      } catch (const std::exception& error) {
        Failure failure{name, error.what()};
        if (std::find(failures.begin(), failures.end(), failure) == failures.end()) {
          failures.push_back(std::move(failure));
        }
      }
    }
  };

  const auto started = Clock::now();
  const bool limited = repetitions.budget.count() > 0;
  for (std::size_t repetition = 0; repetition < repetitions.count; ++repetition) {
    const auto now = Clock::now();
    const auto passed = now - started;
    const bool in_time = repetition == 0 || passed + passed / static_cast<Clock::rep>(repetition) <=
                                                Clock::duration{repetitions.budget};
    if (limited && !in_time) break;
    const auto slices_end =
        now + Clock::duration{repetitions.budget} / static_cast<Clock::rep>(2 * repetitions.count);
    step = 0;
    for (std::size_t slice = 0; slice < settings.slices(); ++slice) {
      if (limited && slice > 0 && Clock::now() > slices_end) break;
      run_those(true, repetition);
    }
    step = 0;
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
