#pragma once

#include <chrono>
#include <string>

#include "harness/runner.hpp"

namespace weft::bench {

/// How far a run is, on stderr: on a terminal one line that is written over again and again, elsewhere a plain line each
/// ten seconds.
class ProgressLine {
 public:
  ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  /// Leaves no line behind.
  ~ProgressLine();

  void operator()(const RunStep& step);

 private:
  using Clock = std::chrono::steady_clock;
  void clear();

  bool terminal_;
  Clock::time_point started_ = Clock::now();
  Clock::time_point told_ = started_;
  bool visible_ = false;
};

}  // namespace weft::bench
