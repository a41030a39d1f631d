// Throughput of one worker against the number of tasks that are under way at once.

#include <array>
#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <future>
#include <string>

#include "sweeps/sweeps.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto kTime = 150ms;
constexpr std::size_t kAtOnce = 256;  // between two looks at the clock

int nothing() { return 1; }

void through_weft(Run& run, std::size_t count) {
  PinnedPool pinned{run};
  InFlight flying{count, [&] { return pinned.pool.submit<nothing>(); }};
  run.rate_for(kTime, [&] { return flying.pass(kAtOnce); });
}

void through_asio(Run& run, std::size_t count) {
  const Pinned pinned{run.cpu()};
  asio::thread_pool pool{1};
  asio::post(pool, std::packaged_task<void()>{[cpu = run.peer_cpu()] { pin(cpu); }}).get();
  InFlight flying{count, [&] { return asio::post(pool, std::packaged_task<int()>{nothing}); }};
  run.rate_for(kTime, [&] { return flying.pass(kAtOnce); });
}

}  // namespace

void add_flight_sweep(std::vector<Benchmark>& to) {
  for (std::size_t count = 1; count <= 4096; count *= 4) {
    const auto add = [&](const char* kind, const char* series, void (*through)(Run&, std::size_t)) {
      to.push_back({{{std::string{"in_flight."} + kind + "." + std::to_string(count), "1/s", "in_flight",
                      series, static_cast<double>(count)}},
                    [=](Run& run) { through(run, count); }});
    };
    add("weft", "weft, one worker process", through_weft);
    add("asio_thread_pool", "Boost.Asio thread_pool of one, futures", through_asio);
  }
}

}  // namespace weft::bench
