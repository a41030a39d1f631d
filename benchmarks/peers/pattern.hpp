#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "harness/benchmark.hpp"
#include "harness/cpus.hpp"

// What all peers have in common, so that an adapter is about a page: 32 bytes there and back, one at a time for the
// latency, 256 under way for the throughput, one answering side on the other CPU.

namespace weft::bench {

using Message = std::array<std::byte, 32>;

inline constexpr std::size_t kPeerInFlight = 256;
inline constexpr std::chrono::milliseconds kPeerTime{300};

/// The figures of a peer, baseline.<id>.round_trip and .pipelined; `label` is its bar in the report.
inline Figure round_trip_of(const std::string& id, const std::string& label) {
  return {"baseline." + id + ".round_trip", "ns", "peers.round_trip", label};
}
inline Figure pipelined_of(const std::string& id, const std::string& label) {
  return {"baseline." + id + ".pipelined", "1/s", "peers.pipelined", label};
}

/// One that sends messages. A `Link` is made from the Run, with its other side started; `ask(count)` sends so many,
/// `answers()` waits for some and returns how many came.
template <class Link>
void link_round_trips(Run& run) {
  const Pinned pinned{run.cpu()};
  Link link{run};
  run.each_for(kPeerTime, [&] {
    link.ask(1);
    while (link.answers() == 0) {
    }
  });
}

template <class Link>
void link_pipelined(Run& run) {
  const Pinned pinned{run.cpu()};
  Link link{run};
  link.ask(kPeerInFlight);
  run.rate_for(kPeerTime, [&] {
    const std::size_t count = link.answers();
    link.ask(count);
    return count;
  });
  for (std::size_t left = kPeerInFlight; left > 0;) left -= link.answers();
}

template <class Link>
void add_link_peer(std::vector<Benchmark>& to, const std::string& id, const std::string& label) {
  to.push_back({{round_trip_of(id, label)}, link_round_trips<Link>});
  to.push_back({{pipelined_of(id, label)}, link_pipelined<Link>});
}

/// One that runs tasks. A `Pool` is made from the Run, its one thread on the answering side's CPU; `submit(message)`
/// returns something whose get() waits for the message that comes back.
template <class Pool>
void pool_round_trips(Run& run) {
  const Pinned pinned{run.cpu()};
  Pool pool{run};
  const Message message{};
  run.each_for(kPeerTime, [&] { keep(pool.submit(message).get()); });
}

template <class Pool>
void pool_pipelined(Run& run) {
  const Pinned pinned{run.cpu()};
  Pool pool{run};
  const Message message{};
  std::vector<decltype(pool.submit(message))> flying;
  for (std::size_t i = 0; i < kPeerInFlight; ++i) flying.push_back(pool.submit(message));
  run.rate_for(kPeerTime, [&] {
    for (auto& one : flying) {
      keep(one.get());
      one = pool.submit(message);
    }
    return kPeerInFlight;
  });
  for (auto& one : flying) keep(one.get());
}

template <class Pool>
void add_pool_peer(std::vector<Benchmark>& to, const std::string& id, const std::string& label) {
  to.push_back({{round_trip_of(id, label)}, pool_round_trips<Pool>});
  to.push_back({{pipelined_of(id, label)}, pool_pipelined<Pool>});
}

}  // namespace weft::bench
