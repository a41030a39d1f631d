#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/histogram.hpp"
#include "harness/timer.hpp"

namespace weft::bench {

/// One line of the table, or one point of a chart.
struct Figure {
  std::string name;  ///< what.it.is, as the JSON has it
  std::string unit;  ///< "ns", "bytes", "1/s", ...
  // Which chart of the report it is a point of, and where (report/charts.cpp); empty for those of core.json.
  std::string chart = {};   ///< its id
  std::string series = {};  ///< what its line is called
  double x = 0;
};

/// What one slice found of one figure: many values (a latency, in ticks, the timer's cost included) or a single one.
struct Sample {
  Histogram ticks;
  double value = 0;
};

/// What every benchmark is given.
struct Settings {
  int cpu = 0;         ///< where the asking side belongs
  int peer_cpu = 0;    ///< and the answering one
  bool quick = false;  ///< less of everything

  /// Slices in a repetition of the benchmarks that can be divided.
  [[nodiscard]] std::size_t slices() const noexcept { return quick ? 4 : 20; }
};

/// One slice of one benchmark: where it runs and where its measurements go.
class Run {
 public:
  /// `slices` is how many of these make a repetition.
  Run(const Settings& settings, std::size_t figures, std::size_t slices)
      : settings_{settings}, samples_(figures), slices_{slices} {}

  [[nodiscard]] int cpu() const noexcept { return settings_.cpu; }
  [[nodiscard]] int peer_cpu() const noexcept { return settings_.peer_cpu; }
  [[nodiscard]] bool quick() const noexcept { return settings_.quick; }
  /// This slice's part of the `count` passes of a repetition, which are a tenth where it has to be quick.
  [[nodiscard]] std::size_t scaled(std::size_t count) const noexcept {
    const std::size_t parts = slices_ * (settings_.quick ? 10 : 1);
    return (count + parts - 1) / parts;
  }

  /// Calls `once` scaled(count) times for figure `figure` and records how long each call took, after a tenth of that
  /// as a warm-up. `between` is called before each, outside the clock.
  template <class Once, class Between>
  void each(std::size_t count, Once&& once, Between&& between, std::size_t figure = 0) {
    const std::size_t passes = scaled(count);
    const std::size_t warm_up = passes / 10 + 1;
    Histogram& ticks = samples_[figure].ticks;
    for (std::size_t i = 0; i < warm_up + passes; ++i) {
      between();
      const std::uint64_t begin = Timer::start();
      once();
      const std::uint64_t took = Timer::stop() - begin;
      if (i >= warm_up) ticks.record(took);
    }
  }
  template <class Once>
  void each(std::size_t count, Once&& once) {
    each(count, once, [] {});
  }

  /// The same for as long as the passes have not taken `time` (a tenth of that where it has to be quick), but at least
  /// three times and at most 100,000 times.
  template <class Once, class Between>
  void each_for(std::chrono::nanoseconds time, Once&& once, Between&& between, std::size_t figure = 0) {
    const auto bound =
        static_cast<std::uint64_t>(static_cast<double>(shortened(time).count()) / Timer::tick_ns());
    for (const bool counts : {false, true}) {
      std::uint64_t spent = 0;
      for (std::size_t i = 0; i < 100'000 && (spent < (counts ? bound : bound / 10) || i < (counts ? 3 : 1));
           ++i) {
        const std::uint64_t whole = Timer::start();
        between();
        const std::uint64_t begin = Timer::start();
        once();
        const std::uint64_t end = Timer::stop();
        spent += end - whole;
        if (counts) samples_[figure].ticks.record(end - begin);
      }
    }
  }
  template <class Once>
  void each_for(std::chrono::nanoseconds time, Once&& once) {
    each_for(time, once, [] {});
  }

  /// Calls `some` for `time`, a tenth of which is a warm-up; it returns how many things it did. Records their rate.
  template <class Some>
  void rate_for(std::chrono::nanoseconds time, Some&& some, std::size_t figure = 0) {
    const auto bound = static_cast<double>(shortened(time).count()) / Timer::tick_ns();
    for (const double part : {0.1, 1.0}) {
      std::size_t count = 0;
      const std::uint64_t begin = Timer::start();
      std::uint64_t took = 0;
      do {
        count += some();
        took = Timer::stop() - begin;
      } while (static_cast<double>(took) < bound * part);
      value(static_cast<double>(count) / (static_cast<double>(took) * Timer::tick_ns()) * 1e9, figure);
    }
  }

  /// `time`, or a tenth of it where it has to be quick.
  [[nodiscard]] std::chrono::nanoseconds shortened(std::chrono::nanoseconds time) const noexcept {
    return settings_.quick ? time / 10 : time;
  }

  /// Records one span of time that was taken with Timer, `count` times.
  void span(std::uint64_t ticks, std::size_t figure = 0, std::uint64_t count = 1) noexcept {
    samples_[figure].ticks.record(ticks, count);
  }

  /// Records the one value of this slice.
  void value(double value, std::size_t figure = 0) noexcept { samples_[figure].value = value; }

  /// `count` things in as many ticks, as a rate per second.
  void rate(std::size_t count, std::uint64_t ticks) noexcept {
    value(static_cast<double>(count) / (static_cast<double>(ticks) * Timer::tick_ns()) * 1e9);
  }

  /// Nothing could be measured: this slice does not count, and figures without any are left out of the results.
  void skip() noexcept { samples_.clear(); }

  [[nodiscard]] std::vector<Sample> take() && noexcept { return std::move(samples_); }

 private:
  Settings settings_;
  std::vector<Sample> samples_;
  std::size_t slices_;
};

/// A named piece of measuring. `run` does one slice: whatever it starts, it ends.
struct Benchmark {
  std::vector<Figure> figures;
  std::function<void(Run&)> run;
  /// Divided into slices, so that it alternates with others many times a repetition; for what starts fast.
  bool sliced = false;
};

}  // namespace weft::bench
