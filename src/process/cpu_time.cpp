#include "process/cpu_time.hpp"

#include <time.h>

namespace weft::process {

std::uint64_t cpu_time_ns(pid_t pid) noexcept {
  clockid_t clock{};
  timespec ran{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &ran) != 0) return 0;
  return static_cast<std::uint64_t>(ran.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(ran.tv_nsec);
}

}  // namespace weft::process
