// main() of the peers that are programs of their own: PROGRAM FIGURE CPU PEER_CPU full|quick (README.md).

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "harness/peer.hpp"
#include "peers/adapter.hpp"

namespace {

using namespace weft::bench;  // NOLINT(google-build-using-namespace): this is a program of that namespace

void print(const std::vector<Sample>& samples) {
  const Sample& found = samples.at(0);
  if (found.ticks.total() == 0) {
    std::printf("{\"rate\": %.17g}\n", found.value);
    return;
  }
  const char* separator = "{\"ns\": [";
  found.ticks.each([&](double ticks, std::uint64_t count) {
    const double ns = ticks > Timer::cost() ? (ticks - Timer::cost()) * Timer::tick_ns() : 0;
    std::printf("%s[%.3f, %llu]", separator, ns, static_cast<unsigned long long>(count));
    separator = ", ";
  });
  std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<Benchmark> benchmarks;
  add_adapter(benchmarks);
  become_peer(argc, argv);
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s round_trip|pipelined CPU PEER_CPU full|quick\n", argv[0]);
    return 2;
  }
  try {
    const std::string_view figure = argv[1];
    for (const Benchmark& benchmark : benchmarks) {
      if (!benchmark.figures.at(0).name.ends_with(figure)) continue;
      Run run{{std::atoi(argv[2]), std::atoi(argv[3]), std::string_view{argv[4]} == "quick"}, 1, 1};
      benchmark.run(run);
      if (prints_here()) print(std::move(run).take());
      return 0;
    }
    throw std::runtime_error{"no such figure"};
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
