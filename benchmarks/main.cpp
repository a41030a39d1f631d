// weft_bench_core: see README.md.

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <regex>
#include <string>
#include <string_view>
#include <vector>
#include <weft/weft.hpp>

#include "benchmarks.hpp"
#include "harness/cpus.hpp"
#include "harness/machine.hpp"
#include "harness/peer.hpp"
#include "harness/report.hpp"
#include "harness/runner.hpp"

namespace {

using namespace weft::bench;  // NOLINT(google-build-using-namespace): this is the program of that namespace

struct Options {
  std::string filter;
  std::string json;
  std::vector<int> cpus;
  std::size_t repetitions = 3;
  bool list = false;
  bool quick = false;
};

std::vector<Benchmark> all_benchmarks() {
  std::vector<Benchmark> all;
  add_limits(all);
  add_ring(all);
  add_tasks(all);
  add_channels(all);
  add_buffers(all);
  add_workers(all);
  add_overcommit(all);
  add_baselines(all);
  add_in_process_baselines(all);
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

// A line on a terminal that is written over again and again; nothing elsewhere.
class ProgressLine {
 public:
  void operator()(std::string_view text) {
    if (terminal_) fmt::print(stderr, "\r\033[K{}", text);
  }
  ~ProgressLine() { (*this)(""); }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
};

int run(const Options& options) {
  const std::vector<Benchmark> benchmarks = chosen(all_benchmarks(), options.filter);
  if (benchmarks.empty()) {
    fmt::print(stderr, "weft_bench_core: no benchmark is called like '{}'; --list shows them\n",
               options.filter);
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
    fmt::print(stderr, "weft_bench_core: two CPUs are needed, one a side; this process may use one\n");
    return 2;
  }
  for (const int cpu : cpus) {
    const std::vector<int> allowed = allowed_cpus();
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end()) {
      fmt::print(stderr, "weft_bench_core: this process may not use CPU {}\n", cpu);
      return 2;
    }
  }
  const Settings settings{cpus[0], cpus[1], options.quick};
  fmt::print("{}pinned to CPUs {} and {}, {} repetitions\n\n", describe_machine(), settings.cpu,
             settings.peer_cpu, options.repetitions);
  std::fflush(stdout);

  ProgressLine line;
  const std::vector<Result> results =
      run_all(benchmarks, settings, options.repetitions, [&](std::string_view name, std::size_t repetition) {
        line(fmt::format("{} of {}: {}", repetition + 1, options.repetitions, name));
      });
  line("");
  print_table(stdout, results, comparisons());
  if (!options.json.empty()) {
    write_json(options.json, results);
    fmt::print("\nwritten to {}\n", options.json);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  if (argc > 1 && std::string_view{argv[1]} == "--peer") all_benchmarks();  // Registers what a peer can be.
  become_peer(argc, argv);

  Options options;
  CLI::App app{"Measures weft against what the machine allows and against what there is beside it."};
  app.add_option("--filter", options.filter, "Run only what this regular expression finds in a name");
  app.add_option("--json", options.json, "Write the figures to this file too");
  app.add_option("--repetitions", options.repetitions, "How often everything runs")
      ->check(CLI::Range(1, 1000));
  app.add_option("--cpus", options.cpus, "The asking and the answering side's CPU, e.g. 0,1")
      ->delimiter(',')
      ->expected(2);
  app.add_flag("--list", options.list, "Print the names and end");
  app.add_flag("--quick", options.quick, "A tenth of the passes: to see that all works, not to quote");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::regex_error& error) {
    fmt::print(stderr, "weft_bench_core: --filter is no regular expression: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "weft_bench_core: {}\n", error.what());
    return 1;
  }
}
