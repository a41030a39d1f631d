#pragma once

#include <sys/types.h>

#include <cstdint>

namespace weft::process {

/// Nanoseconds that all threads of a process have run so far; 0 for `pid` is this one. Gives 0 if there is no such process.
std::uint64_t cpu_time_ns(pid_t pid) noexcept;

}  // namespace weft::process
