// weft-bench: see README.md.

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "benchmarks.hpp"
#include "harness/cpus.hpp"
#include "harness/machine.hpp"
#include "harness/peer.hpp"
#include "harness/report.hpp"
#include "harness/runner.hpp"
#include "peers/peers.hpp"
#include "progress.hpp"
#include "report/report_data.hpp"
#include "sweeps/sweeps.hpp"

namespace {

using namespace std::chrono_literals;
using namespace weft::bench;  // NOLINT(google-build-using-namespace): this is the program of that namespace

struct Options {
  std::string filter;
  std::string json;
  std::string out = "weft-bench";
  std::string compare;
  std::string label;
  std::vector<int> cpus;
  std::optional<std::size_t> repetitions;
  bool list = false;
  bool quick = false;
};

constexpr std::string_view kMethod =
    "Two processes on two CPUs, both pinned but where it says otherwise. Each call is timed by itself; what "
    "the timer takes is taken off. Everything runs in one run: what can be divided runs in slices, A B C "
    "A B C, and all of it in repetitions, of which a percentile is the median. The spread is (greatest - "
    "least) / median of the repetitions. Read ratios, not digits.";

// `lacking`: see add_program_peers.
std::vector<Benchmark> all_benchmarks(PeersLacking& lacking) {
  std::vector<Benchmark> all;
  add_limits(all);
  add_ring(all);
  add_tasks(all);
  add_channels(all);
  add_buffers(all);
  add_maps(all);
  add_queues(all);
  add_shared(all);
  add_workers(all);
  add_overcommit(all);
  add_baselines(all);
  add_in_process_baselines(all);
  add_weft_as_peer(all);
  add_stream_peers(all);
  add_wakeup_peers(all);
  add_message_queue_peers(all);
  add_thread_peers(all);
  add_program_peers(all, lacking);
  add_payload_sweep(all);
  add_flight_sweep(all);
  add_worker_sweep(all);
  add_idle_sweep(all);
  add_break_even_sweep(all);
  add_memory_sweep(all);
  add_cpu_time(all);
  return all;
}

// Those with a figure that the filter finds; a benchmark that measures several is kept or left as a whole.
std::vector<Benchmark> chosen(std::vector<Benchmark> all, const std::string& filter) {
  const std::regex wanted{filter};
  std::erase_if(all, [&](const Benchmark& benchmark) {
    return std::none_of(benchmark.figures.begin(), benchmark.figures.end(),
                        [&](const Figure& figure) { return std::regex_search(figure.name, wanted); });
  });
  return all;
}

// Said before anything is measured rather than after ten minutes.
void make_folder(const std::string& out) {
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (error) throw std::runtime_error{fmt::format("cannot make the folder {}: {}", out, error.message())};
  if (::access(out.c_str(), W_OK) != 0) {
    throw std::runtime_error{fmt::format("cannot write into {}: {}", out, std::strerror(errno))};
  }
}

void write_report(const Options& options, const ReportData& data) {
  write_file(options.out + "/core.json", core_json(data.results, comparisons()));
  write_file(options.out + "/report.json", report_json(data));
  write_file(options.out + "/report.csv", report_csv(data));
  write_file(options.out + "/report.html", report_html(data));
  if (!options.json.empty()) write_file(options.json, core_json(data.results, comparisons()));
  fmt::print("\nwritten to {0}: report.html, report.json, report.csv, core.json\n", options.out);
}

int run(const Options& options) {
  PeersLacking peers;
  const std::vector<Benchmark> benchmarks = chosen(all_benchmarks(peers), options.filter);
  if (benchmarks.empty()) {
    fmt::print(stderr, "weft-bench: nothing is called like '{}'; --list shows the names\n", options.filter);
    return 2;
  }
  if (options.list) {
    for (const Benchmark& benchmark : benchmarks) {
      for (const Figure& figure : benchmark.figures) fmt::print("{}  [{}]\n", figure.name, figure.unit);
    }
    return 0;
  }
  const std::vector<int> cpus = options.cpus.empty() ? allowed_cpus() : options.cpus;
  if (cpus.size() < 2) {
    fmt::print(stderr, "weft-bench: two CPUs are needed, one a side; this process may use one\n");
    return 2;
  }
  for (const int cpu : cpus) {
    const std::vector<int> allowed = allowed_cpus();
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end()) {
      fmt::print(stderr, "weft-bench: this process may not use CPU {}\n", cpu);
      return 2;
    }
  }
  std::optional<EarlierRun> earlier;
  if (!options.compare.empty()) earlier = read_earlier(options.compare);
  make_folder(options.out);

  const Settings settings{cpus[0], cpus[1], options.quick};
  Repetitions repetitions{options.quick ? 2U : 3U, options.quick ? 50s : 580s};
  if (options.repetitions) repetitions = {*options.repetitions, 0s};
  ReportData data;
  data.label = options.label;
  data.method = kMethod;
  data.machine = machine_facts();
  data.machine.push_back({"pinned to CPUs", fmt::format("{} and {}", settings.cpu, settings.peer_cpu)});
  if (options.quick) data.machine.push_back({"how", "quick: to see that all works, not to quote"});
  fmt::print("{}\n", describe(data.machine));
  std::fflush(stdout);
  std::vector<Failure> failures;
  {
    ProgressLine line;
    data.results = run_all(benchmarks, settings, repetitions, std::ref(line), failures);
  }
  data.targets = targets_of(comparisons(), data.results);
  data.absent = std::move(peers.absent);
  data.failed = std::move(peers.failed);
  bool lacking = false;
  for (const Failure& failure : failures) {
    const bool some = std::any_of(data.results.begin(), data.results.end(), [&](const Result& result) {
      return result.figure.name == failure.benchmark;
    });
    lacking = lacking || !some;
    data.failed.push_back(
        fmt::format("{}{}: it failed: {}", some ? "some of " : "", failure.benchmark, failure.reason));
  }
  print_table(stdout, data.results, comparisons());
  for (const auto* const list : {&data.absent, &data.failed}) {
    for (const std::string& one : *list) fmt::print("not measured: {}\n", one);
  }
  if (earlier) {
    data.compared_with = options.compare;
    data.changes = changes_since(*earlier, data.results);
    print_changes(stdout, options.compare, data.changes);
  }
  write_report(options, data);
  return lacking ? 1 : 0;
}

/// CLI11 can break a message into lines; the program says one.
int refuse(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  fmt::print(stderr, "weft-bench: {} (see --help)\n", message);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  if (argc > 1 && std::string_view{argv[1]} == "--peer") {
    PeersLacking peers;
    all_benchmarks(peers);  // Registers what a peer can be.
    become_peer(argc, argv);
  }

  Options options;
  CLI::App app{"Measures what inter-process communication costs on this machine, in at most ten minutes.",
               "weft bench"};
  app.add_option("--out", options.out, "The folder for report.html, report.json, report.csv and core.json")
      ->capture_default_str()
      ->type_name("DIR");
  app.add_flag("--quick", options.quick, "In at most a minute: to see that all works, not to quote");
  app.add_option("--filter", options.filter, "Run only what this regular expression finds in a name")
      ->type_name("REGEX");
  app.add_flag("--list", options.list, "Print the names and end");
  app.add_option("--compare", options.compare,
                 "Hold this run against the report.json or core.json of an earlier one")
      ->type_name("OLD.json");
  app.add_option("--label", options.label, "What is measured, for the head of the report")->type_name("TEXT");
  app.add_option("--repetitions", options.repetitions, "How often everything runs, however long that takes")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  app.add_option("--cpus", options.cpus, "The asking and the answering side's CPU, e.g. 0,1")
      ->delimiter(',')
      ->expected(2)
      ->type_name("A,B");
  app.add_option("--json", options.json, "Write core.json to this file too")->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
    return refuse(error.what());
  }
  try {
    return run(options);
  } catch (const std::regex_error& error) {
    fmt::print(stderr, "weft-bench: --filter is no regular expression: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "weft-bench: {}\n", error.what());
    return 1;
  }
}
