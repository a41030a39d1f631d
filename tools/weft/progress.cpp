#include "progress.hpp"

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "wording.hpp"

namespace weft_cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds{100};
constexpr std::size_t kColumnsMax = 100;
constexpr std::size_t kBarMin = 8;
constexpr std::size_t kBarMax = 40;

constexpr const char* kGreen = "\x1b[32m";
constexpr const char* kRed = "\x1b[31m";
constexpr const char* kPlain = "\x1b[0m";

bool is_set(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

/// A terminal that does not say how wide it is has 80 columns.
std::size_t columns_of_stderr() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::min<std::size_t>(size.ws_col, kColumnsMax);
}

void put(std::string_view text) {
  // A terminal that was closed is no reason to stop.
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

Terminal terminal_of_stderr() {
  const char* const kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || *kind == '\0' || std::string_view{kind} == "dumb";
  Terminal terminal{.bar = ::isatty(STDERR_FILENO) == 1 && !dumb};
  terminal.color = terminal.bar && !is_set("NO_COLOR");
  std::setlocale(LC_CTYPE, "");
  terminal.unicode = std::string_view{::nl_langinfo(CODESET)} == "UTF-8";
  return terminal;
}

void print_problem(const std::string& line, const std::vector<std::string>& details) {
  static const bool color = terminal_of_stderr().color;
  std::string text = fmt::format("{}weft: {}{}\n", color ? kRed : "", line, color ? kPlain : "");
  for (const std::string& detail : details) text += fmt::format("    {}\n", detail);
  put(text);
}

Progress::Progress(std::string noun, std::size_t total)
    : terminal_{terminal_of_stderr()}, noun_{std::move(noun)}, total_{total} {}

Progress::~Progress() { clear(); }

void Progress::done(const std::string& line) {
  ++over_;
  if (!terminal_.bar) put(fmt::format("[{}/{}] {}\n", over_, total_, line));
  draw();
}

void Progress::failed(const std::string& line, const std::vector<std::string>& details) {
  ++over_;
  ++failed_;
  clear();
  print_problem(line, details);
  draw();
}

void Progress::say(const std::string& line) {
  clear();
  put(fmt::format("weft: {}\n", line));
  draw();
}

void Progress::draw() {
  if (!terminal_.bar) return;
  const Clock::time_point now = Clock::now();
  if (!visible_ || now - drawn_ >= kRedraw) redraw(now);
}

void Progress::clear() {
  if (!visible_) return;
  put("\r\x1b[K");
  visible_ = false;
}

void Progress::redraw(Clock::time_point now) {
  const std::string count = fmt::format("{}/{} {}s", over_, total_, noun_);
  std::string rest;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  if (over_ > 0 && seconds > 0) {
    const double rate = static_cast<double>(over_) / seconds;
    rest = fmt::format("  {:.{}f}/s", rate, rate < 10 ? 1 : 0);
    if (over_ < total_) rest += "  " + human_seconds(static_cast<double>(total_ - over_) / rate) + " left";
  }
  if (failed_ > 0) rest += fmt::format("  {} failed", failed_);

  const std::size_t columns = columns_of_stderr();
  const std::size_t words =
      count.size() + rest.size() + 4;  // Two brackets, a space, and the last column left free.
  std::string line = count + rest;
  if (words + kBarMin <= columns) {
    line = bar(std::min(columns - words, kBarMax)) + " " + line;
  } else if (line.size() >= columns) {
    line.resize(columns - 1);
  }
  put("\r" + line + "\x1b[K");
  drawn_ = now;
  visible_ = true;
}

std::string Progress::bar(std::size_t columns) const {
  const std::size_t full = total_ == 0 ? columns : columns * over_ / total_;
  std::string text = "[";
  if (terminal_.color) text += kGreen;
  for (std::size_t i = 0; i < full; ++i) text += terminal_.unicode ? "\u2588" : "#";
  if (terminal_.color) text += kPlain;
  for (std::size_t i = full; i < columns; ++i) text += terminal_.unicode ? "\u2591" : "-";
  return text + "]";
}

}  // namespace weft_cli
