// What a pool takes: memory of its workers while they wait, and CPU time of a task.

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>

#include "proc.hpp"
#include "sweeps/sweeps.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

using namespace std::chrono_literals;

int nothing() { return 1; }

int own_pid() { return ::getpid(); }

// The mean of all of them: the more there are, the more share what all have.
void pss_each(Run& run, std::size_t workers, WorkerKind kind) {
  PoolOptions options = pool_of(workers);
  options.worker.kind = kind;
  options.minimum = workers;
  Pool pool{options};
  pool.submit<own_pid>().get();
  while (pool.status().workers_starting > 0) std::this_thread::yield();
  pool.wait_idle();
  double sum = 0;
  const std::vector<std::int64_t> pids = pool.status().pids;
  for (const std::int64_t pid : pids) sum += static_cast<double>(pss_bytes(static_cast<pid_t>(pid)));
  run.value(sum / static_cast<double>(pids.size()));
}

// CPU time that a process has used so far, all of its threads.
double cpu_ns(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  const int error = ::clock_getcpuclockid(pid, &clock);
  if (error != 0) throw std::system_error{error, std::system_category(), "clock_getcpuclockid"};
  if (::clock_gettime(clock, &time) != 0) {
    throw std::system_error{errno, std::system_category(), "clock_gettime"};
  }
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Both processes' CPU time while `work` runs, for each of the tasks whose number it returns.
template <class Work>
void cpu_time(Run& run, Work&& work) {
  PinnedPool pinned{run};
  const pid_t worker = pinned.pool.submit<own_pid>().get();
  work(pinned.pool);
  const double own_before = cpu_ns(::getpid());
  const double worker_before = cpu_ns(worker);
  const std::size_t tasks = work(pinned.pool);
  const double own = cpu_ns(::getpid()) - own_before;
  const double workers = cpu_ns(worker) - worker_before;
  run.value((own + workers) / static_cast<double>(tasks), 0);
  run.value(workers / static_cast<double>(tasks), 1);
}

std::size_t one_by_one(Pool& pool, std::size_t tasks) {
  for (std::size_t i = 0; i < tasks; ++i) keep(pool.submit<nothing>().get());
  return tasks;
}

std::size_t pipelined(Pool& pool, std::size_t tasks) {
  InFlight flying{256, [&] { return pool.submit<nothing>(); }};
  return flying.pass(tasks);
}

std::size_t now_and_then(Pool& pool, std::size_t tasks) {
  for (std::size_t i = 0; i < tasks; ++i) {
    std::this_thread::sleep_for(1ms);
    keep(pool.submit<nothing>().get());
  }
  return tasks;
}

}  // namespace

void add_memory_sweep(std::vector<Benchmark>& to) {
  struct Kind {
    const char* name;
    const char* series;
    WorkerKind kind;
  };
  static constexpr Kind kKinds[] = {
      {"exec", "a worker started by exec", WorkerKind::exec},
      {"zygote", "a worker copied from the pool's zygote", WorkerKind::zygote},
  };
  for (const Kind& kind : kKinds) {
    for (const std::size_t workers : {1U, 2U, 4U, 8U, 16U}) {
      to.push_back({{{std::string{"memory.pss_each."} + kind.name + "." + std::to_string(workers), "bytes",
                      "memory", kind.series, static_cast<double>(workers)}},
                    [workers, &kind](Run& run) { pss_each(run, workers, kind.kind); }});
    }
  }
}

void add_cpu_time(std::vector<Benchmark>& to) {
  struct Kind {
    const char* name;
    const char* series;
    std::size_t (*work)(Pool&, std::size_t);
    std::size_t tasks;
  };
  static constexpr Kind kKinds[] = {
      {"one_by_one", "one after the other, both spin", one_by_one, 100'000},
      {"pipelined", "256 in flight", pipelined, 500'000},
      {"each_ms", "one a millisecond, both sleep in between", now_and_then, 200},
  };
  for (const Kind& kind : kKinds) {
    to.push_back({{{std::string{"cpu_time.both."} + kind.name, "ns", "cpu_time", kind.series},
                   {std::string{"cpu_time.worker."} + kind.name, "ns", "cpu_time",
                    std::string{kind.series} + ": the worker's part"}},
                  [&kind](Run& run) {
                    cpu_time(run, [&](Pool& pool) { return kind.work(pool, run.scaled(kind.tasks)); });
                  }});
  }
}

}  // namespace weft::bench
