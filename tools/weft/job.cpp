#include "job.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "wording.hpp"

namespace weft_cli {
namespace {

weft::PoolOptions pool_options(const Options& options) {
  weft::PoolOptions chosen;
  if (options.workers) chosen.limit = *options.workers;
  return chosen;
}

}  // namespace

Job::Job(const Options& options) : pool_{pool_options(options)} {}

void Job::heed(int signal_number, Progress& progress) {
  if (signal_number == 1) {
    progress.say("stopping when what has begun is finished; once more to stop at once");
  } else {
    pool_.kill();
  }
}

RunTotals Job::end() {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started_;
  pool_.shutdown();
  return {.seconds = passed.count(), .workers = pool_.limit(), .signal = interrupt_.signal()};
}

void settle_piece(const Piece& piece, std::variant<Picture, Failure> made, Progress& progress,
                  Report& report) {
  Outcome outcome{.input = piece.input,
                  .page = piece.page,
                  .output = piece.destination.path,
                  .input_bytes = piece.input_bytes};
  const std::string name = name_of(outcome);
  if (auto* const picture = std::get_if<Picture>(&made)) {
    if (!picture->note.empty()) {
      progress.say(fmt::format("{}: made, but may be damaged: {}", name, printable(picture->note)));
    }
    progress.done(fmt::format("{} -> {}, {} x {}, {}, {}", name, printable(outcome.output), picture->width,
                              picture->height, human_bytes(picture->bytes), human_seconds(picture->seconds)));
    outcome.picture = std::move(*picture);
  } else {
    outcome.failure = std::get<Failure>(std::move(made));
    ::unlink(piece.destination.temporary.c_str());
    if (!outcome.failure->not_done) {
      progress.failed(fmt::format("{}: {}", name, outcome.failure->reason), outcome.failure->trace);
    }
  }
  report.add(std::move(outcome));
}

}  // namespace weft_cli
