#pragma once

#include <sys/types.h>

#include <cstdint>

namespace weft::bench {

/// The part of its memory that a process accounts for, pages shared with n others counted as 1/n; bytes.
std::uint64_t pss_bytes(pid_t pid);

/// CPU time of all threads of a process, in the kernel's ticks (sysconf(_SC_CLK_TCK) a second).
std::uint64_t cpu_ticks(pid_t pid);

/// How often threads of a process that are alive now have left a CPU, by themselves or not.
std::uint64_t context_switches(pid_t pid);

}  // namespace weft::bench
