// What spatie/async's own benchmark does, as a program: `weft_bench_spatie exec|zygote TASKS LIMIT true|sleep`. The tasks
// give true, at once or after 10 to 30 ms. With `idle` it prints how much memory (PSS, in bytes) a worker takes once it has
// done one: of a program that has little but weft in it, since a worker has its share of the program's own pages too.

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "proc.hpp"

namespace {

bool nothing() { return true; }
bool nap(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
  return true;
}
int own_pid() { return ::getpid(); }

int print_idle_memory(weft::Pool& pool) {
  try {
    const pid_t worker = pool.submit<own_pid>().get();
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    std::printf("%llu\n", static_cast<unsigned long long>(weft::bench::pss_bytes(worker)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  if (argc != 5) return 2;
  weft::PoolOptions options;
  if (std::string_view{argv[1]} == "zygote") options.worker.kind = weft::WorkerKind::zygote;
  const int tasks = std::atoi(argv[2]);
  options.limit = static_cast<std::size_t>(std::atoi(argv[3]));
  const bool sleeps = std::string_view{argv[4]} == "sleep";
  weft::Pool pool{options};
  if (std::string_view{argv[4]} == "idle") return print_idle_memory(pool);
  std::vector<weft::Execution<bool>> all;
  for (int i = 0; i < tasks; ++i) {
    // 10 to 30 ms, as evenly spread as theirs are at random.
    all.push_back(sleeps ? pool.submit<nap>(10 + i * 20 / tasks) : pool.submit<nothing>());
  }
  for (const bool done : weft::all(all)) {
    if (!done) return 1;
  }
  return 0;
}
