#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "progress.hpp"
#include "wording.hpp"

namespace weft_cli {
namespace {

using Json = nlohmann::ordered_json;

Json as_json(const Outcome& outcome) {
  Json json{{"input", outcome.input}};
  if (outcome.page > 0) json["page"] = outcome.page;
  if (outcome.picture) {
    json["output"] = outcome.output;
    json["width"] = outcome.picture->width;
    json["height"] = outcome.picture->height;
    json["bytes"] = outcome.picture->bytes;
    json["seconds"] = outcome.picture->seconds;
    if (!outcome.picture->note.empty()) json["note"] = outcome.picture->note;
  } else if (outcome.failure && outcome.failure->not_done) {
    json["not_done"] = true;
  } else if (outcome.failure) {
    json["error"] = outcome.failure->reason;
    if (!outcome.failure->signal.empty()) json["signal"] = outcome.failure->signal;
    if (!outcome.failure->trace.empty()) json["trace"] = outcome.failure->trace;
  }
  return json;
}

const char* name_of_signal(int signal) { return signal == SIGINT ? "Ctrl-C" : "SIGTERM"; }

}  // namespace

std::string name_of(const Outcome& outcome) {
  const std::string input = printable(outcome.input);
  return outcome.page > 0 ? fmt::format("{}, page {}", input, outcome.page) : input;
}

void Report::add(Outcome outcome) {
  if (outcome.picture) {
    ++done_;
    if (!outcome.picture->note.empty()) ++noted_;
    bytes_read_ += outcome.input_bytes;
    bytes_written_ += outcome.picture->bytes;
    task_seconds_ += outcome.picture->seconds;
  } else if (outcome.failure && outcome.failure->not_done) {
    ++not_done_;
  } else {
    ++failed_;
  }
  outcomes_.push_back(std::move(outcome));
}

void Report::add_problem(const std::string& input, const std::string& reason) {
  print_problem(fmt::format("{}: {}", printable(input), reason));
  add({.input = input, .failure = Failure{.reason = reason}});
}

Report::Figures Report::figures(const RunTotals& totals) const {
  if (totals.seconds <= 0) return {};
  const std::uint64_t bytes = options_.command == Command::thumbnails ? bytes_read_ : bytes_written_;
  const double processors = std::max(1U, std::thread::hardware_concurrency());
  return {.pictures_per_second = static_cast<double>(done_) / totals.seconds,
          .megabytes_per_second = static_cast<double>(bytes) / 1e6 / totals.seconds,
          .speed_up = std::min(task_seconds_ / totals.seconds, processors)};
}

std::string Report::words(const RunTotals& totals) const {
  const bool thumbnails = options_.command == Command::thumbnails;
  const char* const noun = thumbnails ? "picture" : "page";
  std::string text;
  if (totals.signal != 0) text += fmt::format("stopped by {}: ", name_of_signal(totals.signal));
  text += fmt::format("{} done, {} failed", counted(done_, noun), failed_);
  if (not_done_ > 0 || totals.signal != 0) text += fmt::format(", {} not done", not_done_);
  text += fmt::format(", {}", human_seconds(totals.seconds));
  if (done_ > 0) {
    const Figures rates = figures(totals);
    text += fmt::format(", {:.1f} {}s/s, {:.1f} MB/s {}, {:.2f} x the speed of one worker ({})",
                        rates.pictures_per_second, noun, rates.megabytes_per_second,
                        thumbnails ? "read" : "written", rates.speed_up, counted(totals.workers, "worker"));
    if (noted_ > 0) text += fmt::format("; {} may be damaged, see above", noted_);
    text += fmt::format("\nThey are in {}\n", printable(options_.out));
  } else {
    text += "\n";
  }
  return text;
}

std::string Report::json(const RunTotals& totals) const {
  const Figures rates = figures(totals);
  Json json{{"command", options_.command == Command::thumbnails ? "thumbnails" : "pages"},
            {"out", options_.out}};
  json["results"] = Json::array();
  for (const Outcome& outcome : outcomes_) json["results"].push_back(as_json(outcome));
  json["summary"] = {{"done", done_},
                     {"failed", failed_},
                     {"not_done", not_done_},
                     {"stopped", totals.signal != 0},
                     {"workers", totals.workers},
                     {"seconds", totals.seconds},
                     {"pictures_per_second", rates.pictures_per_second},
                     {"megabytes_per_second", rates.megabytes_per_second},
                     {"bytes_read", bytes_read_},
                     {"bytes_written", bytes_written_},
                     {"speed_up", rates.speed_up}};
  // File names need not be UTF-8; JSON must.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

int Report::finish(const RunTotals& totals) {
  std::string text;
  if (options_.json) {
    text = json(totals);
  } else if (totals.workers > 0) {  // Else the problems have said it all.
    text = words(totals);
  }
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    print_problem("the report cannot be written to the standard output");
    return kExitFailed;
  }
  if (totals.signal != 0) return 128 + totals.signal;
  return failed_ == 0 && done_ > 0 ? kExitDone : kExitFailed;
}

}  // namespace weft_cli
