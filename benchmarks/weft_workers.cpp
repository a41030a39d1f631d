// What workers cost to start, and while they do nothing.

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "benchmarks.hpp"
#include "harness/peer.hpp"
#include "proc.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

using std::chrono::milliseconds;

int worker_pid() { return ::getpid(); }

int busy_worker_pid() {
  std::this_thread::sleep_for(milliseconds{5});
  return ::getpid();
}

// Neither side is pinned, as in limit.posix_spawn: a start uses both CPUs at once. Two figures: until the first
// result, and until the worker's process has ended too.
void start(Run& run) {
  const std::size_t passes = run.scaled(200);
  for (std::size_t i = 0; i <= passes; ++i) {
    const std::uint64_t begin = Timer::start();
    Pool pool{pool_of(1)};
    keep(pool.submit<worker_pid>().get());
    const std::uint64_t started = Timer::stop();
    pool.shutdown();
    const std::uint64_t ended = Timer::stop();
    if (i == 0) continue;  // The first one is a warm-up.
    run.span(started - begin, 0);
    run.span(ended - begin, 1);
  }
}

// The same for workers that are copied from a prepared process, which is there already: each task is a new worker's
// first, since that goes after it.
void start_from_zygote(Run& run) {
  PoolOptions options = pool_of(64);
  options.tasks_per_worker = 1;
  options.worker.kind = WorkerKind::zygote;
  Pool pool{options};
  const std::size_t passes = run.scaled(200);
  for (std::size_t i = 0; i <= passes; ++i) {
    const std::uint64_t begin = Timer::start();
    keep(pool.submit<worker_pid>().get());
    const std::uint64_t started = Timer::stop();
    std::this_thread::sleep_for(milliseconds{2});  // for it to end
    if (i == 0) continue;                          // The first one waited for the zygote.
    run.span(started - begin, 0);
  }
}

// A new pool of one thread to its first result.
void start_thread(Run& run) {
  PoolOptions options = pool_of(1);
  options.worker.kind = WorkerKind::thread;
  const std::size_t passes = run.scaled(200);
  for (std::size_t i = 0; i <= passes; ++i) {
    const std::uint64_t begin = Timer::start();
    Pool pool{options};
    keep(pool.submit<worker_pid>().get());
    const std::uint64_t started = Timer::stop();
    pool.shutdown();
    if (i > 0) run.span(started - begin);
  }
}

// A whole program: from its start to its end, with a pool of its own (spatie.cpp).
void whole_program(Run& run, const std::vector<std::string>& arguments) {
  const std::string program = program_folder() + "/weft_bench_spatie";
  run.each(20, [&] {
    if (!spawn_and_wait(program, arguments)) throw std::runtime_error{program + " failed"};
  });
}

// Of a small program (spatie.cpp): a worker of this one would have half of all that is being measured here. And of an empty
// program, which shares its libraries with as many others: this one, and a second of its kind.
void idle_pss(Run& run) {
  const std::string command = "'" + program_folder() + "/weft_bench_spatie' exec 1 1 idle";
  std::FILE* const output = ::popen(command.c_str(), "r");
  if (output == nullptr) throw std::runtime_error{command + " could not be started"};
  double bytes = 0;
  const int read = std::fscanf(output, "%lf", &bytes);
  if (::pclose(output) != 0 || read != 1) throw std::runtime_error{command + " failed"};
  run.value(bytes);
  const std::string sleeper = program_folder() + "/weft_bench_empty";
  const Spawned other{sleeper, {"sleep"}};
  const Spawned empty{sleeper, {"sleep"}};
  std::this_thread::sleep_for(milliseconds{100});
  run.value(static_cast<double>(pss_bytes(empty.pid())), 1);
}

// Tasks long enough that one worker cannot do them all, until each has done one.
std::set<int> start_all(Pool& pool, std::size_t workers) {
  std::set<int> pids;
  for (int tries = 0; tries < 100 && pids.size() < workers; ++tries) {
    std::vector<Execution<int>> flying;
    for (std::size_t i = 0; i < 4 * workers; ++i) flying.push_back(pool.submit<busy_worker_pid>());
    for (Execution<int>& one : flying) pids.insert(one.get());
  }
  if (pids.size() != workers) throw std::runtime_error{"pool.idle: not all workers came"};
  return pids;
}

struct Activity {
  std::uint64_t ticks = 0;
  std::uint64_t switches = 0;
};

Activity activity(const std::set<int>& pids) {
  Activity sum;
  for (const int pid : pids) {
    sum.ticks += cpu_ticks(pid);
    sum.switches += context_switches(pid);
  }
  return sum;
}

// What so many workers and their parent do while nobody asks anything of them. The parent's reading of these numbers is
// kept apart from its idling, and the one switch is not counted with which this thread falls asleep.
void idle(Run& run, std::size_t count, milliseconds time) {
  Pool pool{pool_of(count)};
  const std::set<int> workers = start_all(pool, count);
  const std::set<int> parent{::getpid()};
  std::this_thread::sleep_for(milliseconds{1000});

  const Activity workers_before = activity(workers);
  const Activity parent_before = activity(parent);
  std::this_thread::sleep_for(run.shortened(time));
  const Activity parent_after = activity(parent);
  const Activity workers_after = activity(workers);

  const std::uint64_t ticks =
      (workers_after.ticks - workers_before.ticks) + (parent_after.ticks - parent_before.ticks);
  const std::uint64_t switches =
      (workers_after.switches - workers_before.switches) + (parent_after.switches - parent_before.switches);
  run.value(static_cast<double>(ticks), 0);
  run.value(static_cast<double>(switches > 0 ? switches - 1 : 0), 1);
}

}  // namespace

void add_workers(std::vector<Benchmark>& to) {
  to.push_back({{{"worker.start.exec", "ns"}, {"worker.life.exec", "ns"}}, start, true});
  to.push_back({{{"worker.start.zygote", "ns"}}, start_from_zygote, true});
  to.push_back({{{"worker.start.thread", "ns"}}, start_thread, true});
  for (const std::string kind : {"zygote", "exec"}) {
    const auto add = [&](const char* name, std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(), kind);
      to.push_back({{{"spatie." + std::string{name} + "." + kind, "ns"}},
                    [arguments](Run& run) { whole_program(run, arguments); }});
    };
    add("50_in_20", {"50", "20", "true"});
    add("50_in_50", {"50", "50", "true"});
    add("10_of_10_to_30_ms", {"10", "20", "sleep"});
  }
  to.push_back({{{"worker.idle.pss", "bytes"}, {"limit.idle.pss", "bytes"}}, idle_pss, false});
  to.push_back({{{"pool.idle.ticks", "ticks"}, {"pool.idle.switches", "switches"}},
                [](Run& run) { idle(run, 8, milliseconds{10'000}); },
                false});
  to.push_back({{{"pool.idle_64.ticks", "ticks"}, {"pool.idle_64.switches", "switches"}},
                [](Run& run) { idle(run, 64, milliseconds{3000}); },
                false});
}

}  // namespace weft::bench
