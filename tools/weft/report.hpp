#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "failure.hpp"
#include "options.hpp"
#include "picture.hpp"

namespace weft_cli {

/// What became of one picture or page.
struct Outcome {
  std::string input{};
  int page = 0;          ///< from 1; 0 where there is none
  std::string output{};  ///< empty if it is not known where it would have gone
  std::uint64_t input_bytes = 0;
  std::optional<Picture> picture{};
  std::optional<Failure> failure{};
};

/// "album.pdf, page 3", "photos/a.jpg".
std::string name_of(const Outcome& outcome);

/// How the run went as a whole.
struct RunTotals {
  double seconds = 0;
  std::size_t workers = 0;  ///< 0 if none was needed
  int signal = 0;           ///< that stopped it; 0 if none did
};

/// All outcomes, and what is said of them at the end: on stdout, as words or as JSON.
class Report {
 public:
  explicit Report(const Options& options) : options_{options} {}

  void add(Outcome outcome);
  /// An input that nothing could be made of.
  void add_problem(const std::string& input, const std::string& reason);

  /// Prints the summary, or the JSON. Returns the exit code.
  int finish(const RunTotals& totals);

 private:
  struct Figures {
    double pictures_per_second = 0;
    double megabytes_per_second = 0;  ///< read for thumbnails, written for pages
    /// Against one worker: the tasks' own times over the time that passed, but never more than there are processors,
    /// since workers that wait for a processor make each task look longer than it is.
    double speed_up = 0;
  };

  [[nodiscard]] Figures figures(const RunTotals& totals) const;
  [[nodiscard]] std::string words(const RunTotals& totals) const;
  [[nodiscard]] std::string json(const RunTotals& totals) const;

  const Options& options_;
  std::vector<Outcome> outcomes_;
  std::size_t done_ = 0;
  std::size_t failed_ = 0;
  std::size_t not_done_ = 0;
  std::size_t noted_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_written_ = 0;
  double task_seconds_ = 0;
};

}  // namespace weft_cli
