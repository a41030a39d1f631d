#include "harness/runner.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace weft::bench {

namespace {

// A peer that died leaves the other side waiting for an answer that never comes.
constexpr unsigned kWatchdogSeconds = 300;

// The percentiles of a latency, in ns.
double percentile(const Histogram& ticks, double quantile) {
  return std::max(0.0, ticks.quantile(quantile, Timer::step()) - Timer::cost()) * Timer::tick_ns();
}

// What has been found of one figure so far.
class Collected {
 public:
  void add_slice(const Sample& sample) {
    const bool distribution = sample.ticks.total() > 0;
    slice_medians_.push_back(distribution ? percentile(sample.ticks, 0.5) : sample.value);
    measurements_ += distribution ? sample.ticks.total() : 1;
    repetition_.merge(sample.ticks);
  }

  void end_repetition() {
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

  [[nodiscard]] Result result(const Figure& figure) const {
    return {figure,        !p99_.empty(), median(p50_),   median(p99_),
            median(p999_), p50_,          slice_medians_, measurements_};
  }

 private:
  Histogram repetition_;
  std::size_t seen_ = 0;  // slices of finished repetitions
  std::vector<double> p50_, p99_, p999_, slice_medians_;
  std::uint64_t measurements_ = 0;
};

void run_slice(const Benchmark& benchmark, const Settings& settings, std::vector<Collected>& to) {
  ::alarm(kWatchdogSeconds);
  Run run{settings, benchmark.figures.size(), benchmark.sliced ? kSlices : 1};
  benchmark.run(run);
  const std::vector<Sample> samples = std::move(run).take();
  for (std::size_t figure = 0; figure < samples.size(); ++figure) to[figure].add_slice(samples[figure]);
  ::alarm(0);
}

}  // namespace

double median(std::vector<double> values) noexcept {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double Result::spread() const noexcept {
  if (medians.empty() || p50 == 0) return 0;
  const auto [least, greatest] = std::minmax_element(medians.begin(), medians.end());
  return (*greatest - *least) / p50;
}

std::vector<Result> run_all(const std::vector<Benchmark>& benchmarks, const Settings& settings,
                            std::size_t repetitions, const Progress& progress) {
  std::vector<std::vector<Collected>> found;
  for (const Benchmark& benchmark : benchmarks) found.emplace_back(benchmark.figures.size());

  const auto run_those = [&](bool sliced, std::size_t repetition) {
    for (std::size_t i = 0; i < benchmarks.size(); ++i) {
      if (benchmarks[i].sliced != sliced) continue;
      progress(benchmarks[i].figures.front().name, repetition);
      run_slice(benchmarks[i], settings, found[i]);
    }
  };
  for (std::size_t repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t slice = 0; slice < kSlices; ++slice) run_those(true, repetition);
    run_those(false, repetition);
    for (auto& figures : found) {
      for (Collected& figure : figures) figure.end_repetition();
    }
  }

  std::vector<Result> results;
  for (std::size_t i = 0; i < benchmarks.size(); ++i) {
    for (std::size_t figure = 0; figure < found[i].size(); ++figure) {
      results.push_back(found[i][figure].result(benchmarks[i].figures[figure]));
    }
  }
  return results;
}

}  // namespace weft::bench
