#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "harness/benchmark.hpp"
#include "harness/comparison.hpp"

namespace weft::bench {

// Each appends its benchmarks, in the order of the table, and registers the peers that they start. A peer's process
// calls them too, to find its function, so they do nothing else.
void add_limits(std::vector<Benchmark>& to);
void add_baselines(std::vector<Benchmark>& to);
void add_in_process_baselines(std::vector<Benchmark>& to);
void add_ring(std::vector<Benchmark>& to);
void add_tasks(std::vector<Benchmark>& to);
void add_channels(std::vector<Benchmark>& to);
void add_buffers(std::vector<Benchmark>& to);
void add_maps(std::vector<Benchmark>& to);
void add_queues(std::vector<Benchmark>& to);
void add_shared(std::vector<Benchmark>& to);
void add_workers(std::vector<Benchmark>& to);
void add_overcommit(std::vector<Benchmark>& to);

// What sweeps measure too, for `time`: two processes that sleep in each call, and a socket; `between` comes before each
// call, outside the clock.
void eventfd_round_trips(Run& run, std::chrono::nanoseconds time, const std::function<void()>& between);
void socket_round_trips(Run& run, std::size_t bytes, std::chrono::nanoseconds time);

/// Which figures are held against which, and what weft has promised.
std::vector<Comparison> comparisons();

}  // namespace weft::bench
