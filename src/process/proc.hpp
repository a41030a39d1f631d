#pragma once
// What the kernel tells of processes that are not this one's (proc(5)).

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace weft::process {

/// All that /proc shows.
std::vector<pid_t> all_processes();

struct ProcessLook {
  pid_t pid = 0;
  pid_t parent = 0;
  uid_t user = 0;        ///< effective; 0 too where the process may not be looked into
  pid_t inner_pid = 0;   ///< as the process itself knows it, in its own namespace
  std::string name;      ///< without control characters
  std::string argument;  ///< its argv[1]
  std::chrono::nanoseconds cpu_time{0};
  std::uint64_t resident_bytes = 0;  ///< about; see memory_of()
};
/// nullopt if there is no such process, or it has ended and was not reaped yet.
std::optional<ProcessLook> look_at(pid_t pid);

struct MemoryLook {
  std::uint64_t resident_bytes = 0;
  std::uint64_t proportional_bytes = 0;  ///< PSS; never more than what is resident
};
/// Both of one count, which costs the kernel a look at each page. What look_at() tells as resident is of another moment, and
/// some pages per CPU behind. nullopt where the kernel does not tell.
std::optional<MemoryLook> memory_of(pid_t pid);

/// A memfd that a process holds open.
struct HeldRegion {
  std::string name;  ///< that it was created with
  int number;        ///< of the descriptor there
};
/// Those whose names begin with `prefix`, each once, by number. Faults: system, with errno: EACCES where it may not be
/// looked into, ENOENT if it is gone.
base::Result<std::vector<HeldRegion>> held_regions(pid_t pid, const std::string& prefix);

/// A descriptor of one's own for it, for reading alone. Faults: system; nothing but a regular file or a memfd is opened.
base::Result<base::UniqueFd> open_held(pid_t pid, int number);

/// The program that a process runs, and the libraries that it has loaded, each once, for reading. What cannot be opened is
/// left out.
std::vector<base::UniqueFd> open_modules(pid_t pid);

}  // namespace weft::process
