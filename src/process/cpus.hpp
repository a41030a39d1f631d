#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weft::process {

/// How many CPUs the calling thread, and a process that it starts, may keep busy at once: its affinity and
/// the CPU quota of its cgroups, whichever is less, rounded down (a process that spins on a fraction of a CPU
/// that it does not have is stopped for the rest of each period), but at least 1. Reads a few files: ask
/// once, not for each task. `root` is "/" but in tests; the affinity is always that of the calling thread.
unsigned cpus_allowed(const std::string& root = "/");

/// The CPU quota of this process's cgroups in thousandths of a CPU, the least of all levels; nullopt if
/// unlimited.
std::optional<std::uint64_t> cpu_quota_thousandths(const std::string& root = "/");

}  // namespace weft::process
