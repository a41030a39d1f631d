// A channel between a task and its submitter.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "benchmarks.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

void echo_all(TaskScope& scope) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  try {
    for (;;) parent.send(parent.receive());
  } catch (const Closed&) {  // that was all
  }
}

/// Sends so many numbers for each one that it gets, until there are no more.
void send_many(TaskScope& scope) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  try {
    for (;;) {
      const std::uint64_t count = parent.receive();
      for (std::uint64_t i = 0; i < count; ++i) parent.send(i);
    }
  } catch (const Closed&) {
  }
}

/// Counts the numbers that come, and says so for each 0.
void take_many(TaskScope& scope) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  std::uint64_t count = 0;
  try {
    for (;;) {
      if (parent.receive() != 0) {
        ++count;
      } else {
        parent.send(count);
      }
    }
  } catch (const Closed&) {
  }
}

void round_trips(Run& run) {
  PinnedPool pinned{run};
  auto execution = pinned.pool.submit<echo_all>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  run.each(400'000, [&] {
    channel.send(1);
    if (channel.receive() != 1) std::abort();
  });
  channel.close();
  execution.get();
}

// `pass(count)` sends so many.
template <class Pass>
void rate_of(Run& run, Pass&& pass) {
  const std::size_t count = run.scaled(3'000'000);
  pass(count / 10);
  const std::uint64_t begin = Timer::start();
  pass(count);
  run.rate(count, Timer::stop() - begin);
}

void stream_out(Run& run) {
  PinnedPool pinned{run};
  auto execution = pinned.pool.submit<take_many>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  std::uint64_t all = 0;
  const auto pass = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) channel.send(1);
    channel.send(0);
    all += count;
    if (channel.receive() != all) std::abort();
  };
  rate_of(run, pass);
  channel.close();
  execution.get();
}

void stream_in(Run& run) {
  PinnedPool pinned{run};
  auto execution = pinned.pool.submit<send_many>();
  auto channel = execution.channel<std::uint64_t, std::uint64_t>();
  const auto pass = [&](std::size_t count) {
    channel.send(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (channel.receive() != i) std::abort();
    }
  };
  rate_of(run, pass);
  channel.close();
  execution.get();
}

}  // namespace

void add_channels(std::vector<Benchmark>& to) {
  to.push_back({{{"channel.round_trip", "ns"}}, round_trips, true});
  to.push_back({{{"channel.stream", "1/s"}}, stream_in, true});
  to.push_back({{{"channel.stream_to_task", "1/s"}}, stream_out, true});
}

}  // namespace weft::bench
