// Tasks to one worker: from submit() to the value.

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "benchmarks.hpp"
#include "fiber/reactor.hpp"
#include "harness/timer.hpp"
#include "weft_pool.hpp"
#include "work.hpp"

namespace weft::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kInFlight = 256;
constexpr int kAnswer = 42;

int empty_task() { return kAnswer; }

std::string echo(std::string text) { return text; }

void empty_round_trips(Run& run, WorkerKind kind) {
  PinnedPool pinned{run, kind};
  run.each(400'000, [&] {
    if (pinned.pool.submit<empty_task>().get() != kAnswer) std::abort();
  });
}

void measured_round_trips(Run& run) {
  PoolOptions options = pool_of(1);
  options.measure_times = true;
  PinnedPool pinned{run, options};
  run.each(100'000, [&] { keep(pinned.pool.submit<empty_task>().get()); });
}

/// What it takes to tell somebody who does nothing with it.
void observed_round_trips(Run& run) {
  class Idle final : public Observer {};
  PoolOptions options = pool_of(1);
  options.observer = std::make_shared<Idle>();
  PinnedPool pinned{run, options};
  run.each(100'000, [&] { keep(pinned.pool.submit<empty_task>().get()); });
}

/// Into memory, so that no disk is measured.
void traced_round_trips(Run& run) {
  const base::UniqueFd file{::memfd_create("weft-bench-trace", MFD_CLOEXEC)};
  std::size_t tasks = 1;
  {
    PoolOptions options = pool_of(1);
    options.observer = std::make_shared<TraceFile>("/proc/self/fd/" + std::to_string(file.get()));
    PinnedPool pinned{run, options};
    options.observer.reset();
    run.each(100'000, [&] {
      ++tasks;
      keep(pinned.pool.submit<empty_task>().get());
    });
    pinned.pool.shutdown();
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) std::abort();
  run.value(static_cast<double>(status.st_size) / static_cast<double>(tasks), 1);
}

void string_round_trips(Run& run) {
  PinnedPool pinned{run};
  const std::string text(100, 'w');
  run.each(200'000, [&] {
    if (pinned.pool.submit<echo>(text).get().size() != text.size()) std::abort();
  });
}

void pipelined(Run& run) {
  PinnedPool pinned{run};
  Pool& pool = pinned.pool;
  std::vector<Execution<int>> flying;
  flying.reserve(kInFlight);
  for (std::size_t i = 0; i < kInFlight; ++i) flying.push_back(pool.submit<empty_task>());
  const auto pass = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Execution<int>& oldest = flying[i % kInFlight];
      if (oldest.get() != kAnswer) std::abort();
      oldest = pool.submit<empty_task>();
    }
  };
  const std::size_t count = run.scaled(10'000'000);
  pass(count / 10);
  const std::uint64_t begin = Timer::start();
  pass(count);
  run.rate(count, Timer::stop() - begin);
  for (Execution<int>& one : flying) keep(one.get());
}

// Makes this thread's reactor believe that spinning has not been worth it lately, as after long tasks: it spins for
// 2 us at the most, while a worker that sleeps takes longer than that to wake, and then sleeps.
void discourage(fiber::Reactor& reactor) {
  for (int i = 0; i < 16; ++i) reactor.spun(false);
}

// As limit.eventfd_pair: each call comes after 2 ms without work, in which the worker has gone to sleep, and this
// thread sleeps too until the answer is there. If it spun, it would be compared with what it is not.
void parked_round_trips(Run& run) {
  PinnedPool pinned{run};
  fiber::Reactor& reactor = fiber::Reactor::current();
  const std::uint64_t sleeps = reactor.sleeps();
  std::uint64_t calls = 0;
  run.each(
      1000,
      [&] {
        ++calls;
        if (pinned.pool.submit<empty_task>().get() != kAnswer) std::abort();
      },
      [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
        discourage(reactor);
      });
  const std::uint64_t slept = reactor.sleeps() - sleeps;
  if (slept < calls * 9 / 10) {
    throw std::runtime_error{"task.parked.round_trip: the waiting thread slept in " + std::to_string(slept) +
                             " of " + std::to_string(calls) + " calls"};
  }
}

// As it comes: the worker has gone to sleep, unless it goes on looking for so long, and this thread waits for the value as it
// likes.
void round_trips_after_a_ms(Run& run, std::chrono::nanoseconds busy_poll) {
  PoolOptions options = pool_of(1);
  options.worker.busy_poll = busy_poll;
  PinnedPool pinned{run, options};
  run.each(
      1000, [&] { keep(pinned.pool.submit<empty_task>().get()); },
      [] { std::this_thread::sleep_for(std::chrono::milliseconds{1}); });
}

// In ticks, by its own clock.
std::uint64_t thirty_us() {
  const std::uint64_t begin = Timer::start();
  keep(burn(static_cast<std::uint64_t>(30 * passes_per_us())));
  return Timer::stop() - begin;
}

// What is left of the whole when the task's own time is taken off.
void beyond_a_task(Run& run) {
  PinnedPool pinned{run};
  keep(pinned.pool.submit<thirty_us>().get());  // which finds the passes
  const std::size_t count = run.scaled(20'000);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t begin = Timer::start();
    const std::uint64_t inside = pinned.pool.submit<thirty_us>().get();
    run.span(Timer::stop() - begin - inside);
  }
}

}  // namespace

void add_tasks(std::vector<Benchmark>& to) {
  to.push_back(
      {{{"task.empty.round_trip", "ns"}}, [](Run& run) { empty_round_trips(run, WorkerKind::exec); }, true});
  to.push_back({{{"task.thread.round_trip", "ns"}},
                [](Run& run) { empty_round_trips(run, WorkerKind::thread); },
                true});
  to.push_back({{{"task.measured.round_trip", "ns"}}, measured_round_trips, true});
  to.push_back({{{"task.observed.round_trip", "ns"}}, observed_round_trips, true});
  to.push_back({{{"task.traced.round_trip", "ns"}, {"task.traced.file", "bytes"}}, traced_round_trips, true});
  to.push_back({{{"task.string.round_trip", "ns"}}, string_round_trips, true});
  to.push_back({{{"task.empty.pipelined", "1/s"}}, pipelined, true});
  to.push_back({{{"task.parked.round_trip", "ns"}}, parked_round_trips, true});
  to.push_back(
      {{{"task.after_1ms.round_trip", "ns"}}, [](Run& run) { round_trips_after_a_ms(run, 0ns); }, true});
  to.push_back(
      {{{"task.after_1ms.busy_poll", "ns"}}, [](Run& run) { round_trips_after_a_ms(run, 10ms); }, true});
  to.push_back({{{"task.30us.beyond", "ns"}}, beyond_a_task, true});
}

}  // namespace weft::bench
