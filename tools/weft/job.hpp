#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>
#include <weft/pool.hpp>

#include "completions.hpp"
#include "failure.hpp"
#include "interrupt.hpp"
#include "options.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace weft_cli {

/// A pool of workers and what stops it: runs sets of tasks until all are over or a signal asks for the end.
///
/// Threads: one. Blocks: in run().
class Job {
 public:
  explicit Job(const Options& options);

  /// Submits each task, and calls `use(index, variant<its result, Failure>)` as they settle. After the first signal,
  /// what has begun is finished and all else settles as not done; after the second, the workers are killed.
  template <class Task, class Use>
  void run(const std::vector<Task>& tasks, Progress& progress, Use use) {
    using Result = decltype(std::declval<const Task&>().run());
    Completions<Result> pending;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (stopped()) {
        use(i, Failure{.reason = "stopped", .not_done = true});
        continue;
      }
      try {
        pending.add(i, pool_.submit(tasks[i]));
      } catch (...) {
        use(i, current_failure(stopped()));
      }
    }
    while (!pending.empty()) {
      if (interrupt_.count() > signals_heeded_) {
        heed(++signals_heeded_, progress);
        pending.cancel("stopped");
      }
      if (auto settled = pending.next_within(kPatience)) use(settled->key, outcome(settled->execution));
      progress.draw();
    }
  }

  [[nodiscard]] bool stopped() const { return interrupt_.count() > 0; }
  /// Ends the workers. The totals for the report.
  RunTotals end();

 private:
  /// How long a signal, or a redrawing of the bar, may wait.
  static constexpr std::chrono::milliseconds kPatience{50};

  template <class R>
  std::variant<R, Failure> outcome(weft::Execution<R>& execution) const {
    try {
      return execution.get();
    } catch (...) {
      return current_failure(stopped());
    }
  }

  void heed(int signal_number, Progress& progress);

  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  Interrupt interrupt_;
  int signals_heeded_ = 0;
  weft::Pool pool_;
};

/// A picture that is to be made: where from, where to.
struct Piece {
  std::string input{};
  int page = 0;
  std::uint64_t input_bytes = 0;
  Destination destination{};
};

/// Reports one piece that is over, and clears away what a failed one left.
void settle_piece(const Piece& piece, std::variant<Picture, Failure> made, Progress& progress,
                  Report& report);

/// Runs `tasks`, one for each of `pieces`, whose results are Pictures.
template <class Task>
void make_pictures(Job& job, const std::vector<Piece>& pieces, const std::vector<Task>& tasks,
                   const char* noun, Report& report) {
  Progress progress{noun, pieces.size()};
  job.run(tasks, progress, [&](std::size_t index, std::variant<Picture, Failure> made) {
    settle_piece(pieces[index], std::move(made), progress, report);
  });
}

}  // namespace weft_cli
