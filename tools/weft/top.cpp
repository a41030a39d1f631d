#include "top.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/error.hpp>
#include <weft/inspect.hpp>

#include "interrupt.hpp"
#include "progress.hpp"
#include "wording.hpp"

namespace weft_cli {
namespace {

using Json = nlohmann::ordered_json;
using Seconds = std::chrono::duration<double>;
using Looks = std::vector<weft::ProgramLook>;

const char* name_of(weft::WorkerState state) {
  switch (state) {
    case weft::WorkerState::starting:
      return "starting";
    case weft::WorkerState::idle:
      return "idle";
    case weft::WorkerState::parked:
      return "parked";
    case weft::WorkerState::busy:
      return "busy";
    case weft::WorkerState::waiting:
      return "waiting";
    case weft::WorkerState::zygote:
      return "zygote";
  }
  return "?";
}

std::string with_commas(std::uint64_t number) {
  if (number < 1000) return std::to_string(number);
  return fmt::format("{},{:03}", with_commas(number / 1000), number % 1000);
}

/// What has become of a program or worker since the look before.
struct Rates {
  double tasks_per_second = 0;
  double cpu_percent = 0;
};

/// Two looks, one after the other.
class Change {
 public:
  Change(const Looks& before, const Looks& now) : now_{now} {
    for (const weft::ProgramLook& program : before) {
      before_[program.pid] = &program;
    }
  }
  [[nodiscard]] Rates of(const weft::ProgramLook& program) const {
    const weft::ProgramLook* const before = find(program);
    if (before == nullptr) return {};
    Rates rates = between(*before, program, 0, 0, before->cpu_time, program.cpu_time);
    for (std::size_t i = 0; i < program.workers.size(); ++i)
      rates.tasks_per_second += of(program, i).tasks_per_second;
    return rates;
  }
  [[nodiscard]] Rates of(const weft::ProgramLook& program, std::size_t worker) const {
    const weft::ProgramLook* const before = find(program);
    if (before == nullptr) return {};
    const weft::WorkerLook& now = program.workers.at(worker);
    // Processes are told apart by their pids, threads by their place among them.
    const auto place = [&](const weft::ProgramLook& in, std::size_t up_to) {
      return std::count_if(in.workers.begin(), in.workers.begin() + static_cast<std::ptrdiff_t>(up_to),
                           [](const auto& each) { return each.is_thread; });
    };
    for (std::size_t i = 0; i < before->workers.size(); ++i) {
      const weft::WorkerLook& then = before->workers[i];
      if (then.is_thread != now.is_thread || then.pid != now.pid) continue;
      if (now.is_thread && place(*before, i) != place(program, worker)) continue;
      return between(*before, program, then.tasks_done, now.tasks_done, then.cpu_time, now.cpu_time);
    }
    return {};
  }
  [[nodiscard]] const Looks& now() const noexcept { return now_; }

 private:
  [[nodiscard]] const weft::ProgramLook* find(const weft::ProgramLook& program) const {
    const auto found = before_.find(program.pid);
    return found == before_.end() ? nullptr : found->second;
  }
  static Rates between(const weft::ProgramLook& before, const weft::ProgramLook& now,
                       std::uint64_t tasks_then, std::uint64_t tasks_now, std::chrono::nanoseconds cpu_then,
                       std::chrono::nanoseconds cpu_now) {
    const double seconds = Seconds{now.at - before.at}.count();
    if (seconds <= 0) return {};
    // What a worker says of itself may be anything; another process may have the pid by now.
    const std::uint64_t tasks = tasks_now > tasks_then ? tasks_now - tasks_then : 0;
    const double cpu = std::max(Seconds{cpu_now - cpu_then}.count(), 0.0);
    return {std::min(static_cast<double>(tasks) / seconds, kRateMax), 100 * cpu / seconds};
  }

  /// More than can be; the sum over all workers still fits 64 bits.
  static constexpr double kRateMax = 1e12;

  const Looks& now_;
  std::map<std::int64_t, const weft::ProgramLook*> before_;
};

std::uint64_t tasks_done(const weft::ProgramLook& program) {
  std::uint64_t sum = 0;
  for (const weft::WorkerLook& worker : program.workers) sum += worker.tasks_done;
  return sum;
}

weft::RunTimes run_times(const weft::ProgramLook& program) {
  weft::RunTimes sum;
  for (const weft::WorkerLook& worker : program.workers) sum += worker.run_times;
  return sum;
}

double rounded(double value) {
  return static_cast<double>(static_cast<std::uint64_t>(value * 10 + 0.5)) / 10;
}

Json memory(std::uint64_t resident, const std::optional<std::uint64_t>& proportional) {
  Json json{{"rss_bytes", resident}};
  if (proportional) json["pss_bytes"] = *proportional;
  return json;
}

/// Nothing where nothing was timed.
Json run_times_json(const weft::RunTimes& times) {
  Json json = Json::object();
  if (times.percentile(100).count() == 0) return json;
  json["run_p50_ns"] = times.percentile(50).count();
  json["run_p99_ns"] = times.percentile(99).count();
  return json;
}

Json as_json(const Change& change) {
  Json programs = Json::array();
  for (const weft::ProgramLook& program : change.now()) {
    const Rates rates = change.of(program);
    Json workers = Json::array();
    for (std::size_t i = 0; i < program.workers.size(); ++i) {
      const weft::WorkerLook& worker = program.workers[i];
      const Rates own = change.of(program, i);
      Json json{{"pid", worker.pid},
                {"kind", worker.is_thread ? "thread" : "process"},
                {"state", name_of(worker.state)},
                {"tasks_done", worker.tasks_done},
                {"tasks_per_second", rounded(own.tasks_per_second)},
                {"tasks_in_hand", worker.tasks_in_hand}};
      json.update(run_times_json(worker.run_times));
      if (!worker.task.empty()) json["task"] = worker.task;
      if (!worker.is_thread) {
        json["cpu_percent"] = rounded(own.cpu_percent);
        json.update(memory(worker.resident_bytes, worker.proportional_bytes));
      }
      workers.push_back(std::move(json));
    }
    Json json{{"pid", program.pid},
              {"name", program.name},
              {"pools", program.pools},
              {"tasks_done", tasks_done(program)},
              {"tasks_per_second", rounded(rates.tasks_per_second)},
              {"cpu_percent", rounded(rates.cpu_percent)}};
    json.update(run_times_json(run_times(program)));
    json.update(memory(program.resident_bytes, program.proportional_bytes));
    if (!program.problem.empty()) json["problem"] = program.problem;
    json["workers"] = std::move(workers);
    programs.push_back(std::move(json));
  }
  return {{"programs", std::move(programs)}};
}

std::string memory_words(std::uint64_t resident, const std::optional<std::uint64_t>& proportional) {
  return human_bytes(proportional.value_or(resident));
}

std::string run_time(const weft::RunTimes& times, double percent) {
  const std::chrono::nanoseconds time = times.percentile(percent);
  return time.count() == 0 ? "" : human_nanoseconds(time);
}

struct Line {
  std::string pid, state, tasks, rate, p50, p99, cpu, memory, task;
};

std::string as_text(const Line& line) {
  return fmt::format("{:>7} {:<8} {:>13} {:>10} {:>7} {:>7} {:>5} {:>8}  {}", line.pid, line.state,
                     line.tasks, line.rate, line.p50, line.p99, line.cpu, line.memory, line.task);
}

std::vector<std::string> as_lines(const Change& change) {
  std::vector<std::string> lines;
  if (change.now().empty()) return {"no program of this user's has a pool of weft's"};
  lines.push_back(as_text({"PID", "STATE", "TASKS", "TASKS/S", "P50", "P99", "CPU %", "MEMORY", "TASK"}));
  for (const weft::ProgramLook& program : change.now()) {
    const Rates rates = change.of(program);
    const auto rate_of = [](const Rates& of) {
      return with_commas(static_cast<std::uint64_t>(of.tasks_per_second));
    };
    const weft::RunTimes times = run_times(program);
    lines.push_back(
        as_text({std::to_string(program.pid), "program", with_commas(tasks_done(program)), rate_of(rates),
                 run_time(times, 50), run_time(times, 99), fmt::format("{:.0f}", rates.cpu_percent),
                 memory_words(program.resident_bytes, program.proportional_bytes),
                 printable(program.name) + ": " + counted(program.pools, "pool")}));
    for (std::size_t i = 0; i < program.workers.size(); ++i) {
      const weft::WorkerLook& worker = program.workers[i];
      const Rates own = change.of(program, i);
      std::string task = printable(worker.task);
      if (worker.tasks_in_hand > 1) task += fmt::format(" ({} in hand)", worker.tasks_in_hand);
      Line line{"thread",
                name_of(worker.state),
                with_commas(worker.tasks_done),
                rate_of(own),
                run_time(worker.run_times, 50),
                run_time(worker.run_times, 99),
                "",
                "",
                std::move(task)};
      if (!worker.is_thread) {
        line.pid = std::to_string(worker.pid);
        line.cpu = fmt::format("{:.0f}", own.cpu_percent);
        line.memory = memory_words(worker.resident_bytes, worker.proportional_bytes);
      }
      lines.push_back(as_text(line));
    }
    if (!program.problem.empty()) lines.push_back(fmt::format("{:>7} {}", "", printable(program.problem)));
  }
  return lines;
}

/// The screen again and again: what is longer or wider than it is cut.
std::string on_screen(const std::vector<std::string>& lines) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2 || size.ws_col == 0)
    size = {24, 80, 0, 0};
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size() && i + 1 < size.ws_row; ++i)
    text += fmt::format("{}\x1b[K\n", first_columns(lines[i], size.ws_col));
  return text + "\x1b[J";
}

class Screen {
 public:
  explicit Screen(const Options& options) : options_{options} {
    const char* const terminal = std::getenv("TERM");
    is_terminal_ = !options.json && !options.once && ::isatty(STDOUT_FILENO) == 1 && terminal != nullptr &&
                   std::string_view{terminal} != "dumb";
    if (is_terminal_) static_cast<void>(put("\x1b[?1049h"));
  }
  ~Screen() {
    if (is_terminal_) static_cast<void>(put("\x1b[?1049l"));
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  [[nodiscard]] bool is_terminal() const noexcept { return is_terminal_; }
  /// False, and it is said, if it cannot be written.
  [[nodiscard]] bool show(const Change& change) const {
    if (options_.json) {
      // Names of processes need not be UTF-8; JSON must.
      return put(as_json(change).dump(options_.once ? 2 : -1, ' ', false, Json::error_handler_t::replace) +
                 "\n");
    }
    const std::vector<std::string> lines = as_lines(change);
    if (is_terminal_) return put(on_screen(lines));
    return put(fmt::format("{}\n{}", fmt::join(lines, "\n"), options_.once ? "" : "\n"));
  }

 private:
  static bool put(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
      return true;
    print_problem(fmt::format("nothing can be written to the standard output: {}", std::strerror(errno)));
    return false;
  }
  const Options& options_;
  bool is_terminal_ = false;
};

Looks look(const Options& options) {
  if (!options.pid) return weft::look_at_programs();
  return {weft::look_at_program(*options.pid)};
}

/// False if it was broken off by Ctrl-C.
bool sleep_for(double seconds, const Interrupt& interrupt) {
  const auto until = std::chrono::steady_clock::now() + Seconds{seconds};
  for (;;) {
    if (interrupt.count() != 0) return false;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    // A signal ends this one, and not the library's own way of sleeping.
    static_cast<void>(::poll(nullptr, 0, static_cast<int>(std::min<std::int64_t>(left.count() + 1, 1000))));
  }
}

}  // namespace

int show_top(const Options& options) {
  Looks before;
  try {
    before = look(options);
  } catch (const weft::Error& error) {
    print_problem(printable(error.what()));
    return kExitFailed;
  }
  const Interrupt interrupt;
  std::string last_words;
  {
    const Screen screen{options};
    if (screen.is_terminal() && !screen.show(Change{{}, before})) return kExitFailed;
    while (sleep_for(options.interval, interrupt)) {
      Looks now;
      try {
        now = look(options);
      } catch (const weft::Error& error) {
        last_words = printable(error.what());  // the program that was asked for has ended
        break;
      }
      if (!screen.show(Change{before, now})) return kExitFailed;
      if (options.once) return kExitDone;
      before = std::move(now);
    }
  }
  if (last_words.empty()) return kExitDone;
  print_problem(last_words);
  return options.once ? kExitFailed : kExitDone;
}

}  // namespace weft_cli
