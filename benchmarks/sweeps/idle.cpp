// One call after some time of nothing: who spins is there at once while it lasts, who has gone to sleep must be woken.

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "benchmarks.hpp"
#include "fiber/reactor.hpp"
#include "sweeps/sweeps.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr auto kTime = 200ms;

int nothing() { return 1; }

// A timed sleep takes some 60 us more than it was asked for, so what is short is waited out awake.
void do_nothing_for(nanoseconds time) {
  if (time >= 300us) {
    std::this_thread::sleep_for(time);
    return;
  }
  const std::uint64_t until = base::now_ns() + static_cast<std::uint64_t>(time.count());
  while (base::now_ns() < until) base::spin_pause();
}

void as_it_comes(Run& run, nanoseconds idle) {
  PinnedPool pinned{run};
  run.each_for(
      kTime, [&] { keep(pinned.pool.submit<nothing>().get()); }, [=] { do_nothing_for(idle); });
}

// The asking thread goes to sleep until the answer is there, as after calls that were not worth spinning for.
void asleep(Run& run, nanoseconds idle) {
  PinnedPool pinned{run};
  fiber::Reactor& reactor = fiber::Reactor::current();
  run.each_for(
      kTime, [&] { keep(pinned.pool.submit<nothing>().get()); },
      [&] {
        do_nothing_for(idle);
        for (int i = 0; i < 16; ++i) reactor.spun(false);
      });
}

void raw(Run& run, nanoseconds idle) {
  eventfd_round_trips(run, kTime, [=] { do_nothing_for(idle); });
}

}  // namespace

void add_idle_sweep(std::vector<Benchmark>& to) {
  struct Kind {
    const char* name;
    const char* series;
    void (*run)(Run&, nanoseconds);
  };
  static constexpr Kind kKinds[] = {
      {"weft", "weft, as it comes", as_it_comes},
      {"weft_asleep", "weft, the asking thread sleeps", asleep},
      {"eventfd", "eventfd + epoll, both sleep", raw},
  };
  for (const std::size_t ns :
       {1'000U, 3'000U, 10'000U, 30'000U, 100'000U, 300'000U, 1'000'000U, 3'000'000U, 10'000'000U}) {
    for (const Kind& kind : kKinds) {
      to.push_back({{{std::string{"idle."} + kind.name + "." + time_name(ns), "ns", "idle", kind.series,
                      static_cast<double>(ns)}},
                    [ns, run_kind = kind.run](Run& run) { run_kind(run, nanoseconds{ns}); }});
    }
  }
}

}  // namespace weft::bench
