#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "process/spawn.hpp"

namespace weft::process {

/// What a process may use; 0, nullopt and empty leave it as it is.
struct Allowance {
  /// RLIMIT_DATA: private memory that can be written, by what is mapped and not by what is touched. Not RLIMIT_AS, which
  /// counts address space: each thread's malloc arena takes 64 MiB of that, unused, and weft's shared memory counts too,
  /// so that a limit would break what it is not meant for.
  std::uint64_t memory_bytes = 0;
  std::uint64_t cpu_seconds = 0;  ///< RLIMIT_CPU: SIGXCPU then, SIGKILL a second later
  std::uint64_t open_files = 0;   ///< RLIMIT_NOFILE
  std::optional<int> nice;
  std::vector<unsigned> cpus;  ///< affinity

  [[nodiscard]] bool empty() const noexcept {
    return memory_bytes == 0 && cpu_seconds == 0 && open_files == 0 && !nice && cpus.empty();
  }
};

/// Gives `pid`, a child of this process that nobody has reaped, its allowance. To be called while it has one thread:
/// nice and cpus are a thread's, and inherited by those that it starts. Nothing happens if it has ended. From outside
/// rather than between fork and exec: whatever way a process came to be, the one that made it has the errno. Faults:
/// system, naming what was refused and why.
base::Result<void> allow(pid_t pid, const Allowance& allowance);

/// How a process of this allowance ended, if that was a limit's doing: "it has used its 1 s of processor time (RLIMIT_CPU,
/// WorkerLimits::cpu_time)"; else empty.
std::string limit_hit(const Allowance& allowance, const ExitStatus& status);

/// "its memory is limited to 64 MiB (RLIMIT_DATA)", of this process; empty if it is not.
std::string memory_limit();

/// "its open files are limited to 1024 (RLIMIT_NOFILE)", of this process.
std::string open_files_limit();

/// "64 MiB", "1000 bytes".
std::string describe_bytes(std::uint64_t bytes);

}  // namespace weft::process
