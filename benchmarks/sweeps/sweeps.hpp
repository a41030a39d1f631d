#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harness/benchmark.hpp"

// What is measured over a range rather than at one place: each figure is a point of a chart of the report.

namespace weft::bench {

void add_payload_sweep(std::vector<Benchmark>& to);
void add_flight_sweep(std::vector<Benchmark>& to);
void add_worker_sweep(std::vector<Benchmark>& to);
void add_idle_sweep(std::vector<Benchmark>& to);
void add_break_even_sweep(std::vector<Benchmark>& to);
void add_memory_sweep(std::vector<Benchmark>& to);
void add_cpu_time(std::vector<Benchmark>& to);

/// "64B", "4KiB", "16MiB".
inline std::string size_name(std::size_t bytes) {
  if (bytes >= (1U << 20)) return std::to_string(bytes >> 20) + "MiB";
  if (bytes >= (1U << 10)) return std::to_string(bytes >> 10) + "KiB";
  return std::to_string(bytes) + "B";
}

/// "0ns", "300ns", "30us", "3ms".
inline std::string time_name(std::size_t ns) {
  if (ns >= 1'000'000) return std::to_string(ns / 1'000'000) + "ms";
  if (ns >= 1'000) return std::to_string(ns / 1'000) + "us";
  return std::to_string(ns) + "ns";
}

/// 1 to four times the CPUs: each number up to the CPUs where they are few, and then in steps.
std::vector<std::size_t> worker_counts();

}  // namespace weft::bench
