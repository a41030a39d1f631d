#include "progress.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

namespace weft::bench {

namespace {

std::string clock_words(std::chrono::steady_clock::duration time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

}  // namespace

ProgressLine::ProgressLine() : terminal_{::isatty(STDERR_FILENO) == 1} {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::operator()(const RunStep& step) {
  const Clock::time_point now = Clock::now();
  if (now - told_ < (terminal_ ? std::chrono::milliseconds{100} : std::chrono::seconds{10})) return;
  told_ = now;
  clear();
  const std::string text = fmt::format("{:3.0f} %, {} passed, repetition {}: {}", step.done * 100,
                                       clock_words(now - started_), step.repetition + 1, step.benchmark);
  fmt::print(stderr, "{}{}", text, terminal_ ? "" : "\n");
  visible_ = terminal_;
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (visible_) fmt::print(stderr, "\r\033[K");
  visible_ = false;
}

}  // namespace weft::bench
