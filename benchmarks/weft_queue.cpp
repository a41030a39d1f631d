// Tasks that wait: what they take meanwhile, and who goes first.

#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks.hpp"
#include "proc.hpp"
#include "weft_pool.hpp"
#include "work.hpp"

namespace weft::bench {

namespace {

constexpr std::size_t kFlood = 1000;
constexpr double kTaskUs = 10;

int nothing() { return 1; }

void wait_for(std::string path) { std::ifstream{path}.get(); }

// Closed, it lets the worker go that waits for it.
class Gate {
 public:
  Gate() {
    if (::pipe(ends_) != 0) std::abort();
  }
  ~Gate() {
    open();
    ::close(ends_[0]);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  [[nodiscard]] std::string path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ends_[0]);
  }
  void open() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

 private:
  int ends_[2] = {};
};

// The worker stands still while a million tasks come. Then all are read, in their order.
void a_million(Run& run) {
  PinnedPool pinned{run};
  const std::size_t count = run.scaled(1'000'000);
  std::vector<Execution<int>> waiting(count);
  Gate gate;
  auto waits = pinned.pool.submit<wait_for>(gate.path());
  ::malloc_trim(0);
  const std::uint64_t before = pss_bytes(::getpid());
  for (auto& each : waiting) each = pinned.pool.submit<nothing>();
  run.value(static_cast<double>(pss_bytes(::getpid()) - before) / static_cast<double>(count), 0);
  gate.open();
  waits.get();
  const std::uint64_t begin = Timer::start();
  for (auto& each : waiting) keep(each.get());
  const double took = static_cast<double>(Timer::stop() - begin) * Timer::tick_ns();
  run.value(static_cast<double>(count) / took * 1e9, 1);
}

std::uint64_t begun = 0;

std::uint64_t begin_and_burn(std::uint64_t passes) {
  const std::uint64_t before = begun++;
  keep(burn(passes));
  return before;
}

// A thousand tasks always wait; `submit` puts one more behind them. Two figures: how long that takes, and how many of the
// others begin although it is there.
template <class Submitter>
void behind_a_flood(Run& run, Submitter submitter) {
  PinnedPool pinned{run};
  auto second = submitter(pinned.pool);
  const auto passes = static_cast<std::uint64_t>(kTaskUs * passes_per_us());
  std::vector<Execution<std::uint64_t>> flood(kFlood);
  for (auto& each : flood) each = pinned.pool.submit<begin_and_burn>(passes);
  std::uint64_t done = 0;
  std::uint64_t tried = 0;
  // Each puts another one in the place of those that are done.
  const auto go_on = [&] {
    const std::uint64_t until = done + 50;
    while (done < until || flood[done % kFlood].ready()) {
      keep(flood[done % kFlood].get());
      flood[done % kFlood] = pinned.pool.submit<begin_and_burn>(passes);
      ++done;
    }
  };
  double overtaken_by = 0;
  std::uint64_t done_before = 0;
  run.each(
      2000,
      [&] {
        done_before = done;
        const std::uint64_t begun_before = second.template submit<begin_and_burn>(passes).get();
        overtaken_by += static_cast<double>(begun_before - tried++ - done_before);
      },
      go_on);
  run.value(overtaken_by / static_cast<double>(tried), 1);
  for (auto& each : flood) keep(each.get());
}

}  // namespace

void add_queues(std::vector<Benchmark>& to) {
  to.push_back({{{"queue.bytes_each", "bytes"}, {"queue.drain", "1/s"}}, a_million});
  to.push_back({{{"priority.high.latency", "ns"}, {"priority.high.waits_for", "tasks"}},
                [](Run& run) {
                  behind_a_flood(run, [](Pool& pool) { return pool.with({.priority = Priority::high}); });
                },
                true});
  to.push_back({{{"fairness.trickle.latency", "ns"}, {"fairness.trickle.waits_for", "tasks"}},
                [](Run& run) { behind_a_flood(run, [](Pool& pool) { return pool.view(); }); },
                true});
}

}  // namespace weft::bench
