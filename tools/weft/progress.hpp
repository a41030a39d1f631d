#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace weft_cli {

/// What stderr is: a bar needs a terminal that can go back in its line; NO_COLOR is respected.
struct Terminal {
  bool bar = false;
  bool color = false;
  bool unicode = false;
};
Terminal terminal_of_stderr();

/// How far a run is, on stderr: on a terminal one bar with rate and time left, redrawn in its place, else a plain line
/// for each piece. Lines about failures are always printed, above the bar.
class Progress {
 public:
  /// `noun` names the pieces, of which there are `total`: "picture".
  Progress(std::string noun, std::size_t total);
  /// Leaves no bar behind.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more is done.
  void done(const std::string& line);
  /// One more is over, and failed.
  void failed(const std::string& line, const std::vector<std::string>& details);
  /// A line that is about no piece in particular.
  void say(const std::string& line);
  /// Draws the bar if it has not been drawn for a while. Cheap.
  void draw();

 private:
  using Clock = std::chrono::steady_clock;

  void clear();
  void redraw(Clock::time_point now);
  [[nodiscard]] std::string bar(std::size_t columns) const;

  const Terminal terminal_;
  const std::string noun_;
  const std::size_t total_;
  const Clock::time_point started_ = Clock::now();
  std::size_t over_ = 0;
  std::size_t failed_ = 0;
  Clock::time_point drawn_{};
  bool visible_ = false;
};

/// "weft: <line>" on stderr, with the details below it.
void print_problem(const std::string& line, const std::vector<std::string>& details = {});

}  // namespace weft_cli
