#include "process/cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "process/cgroup.hpp"

namespace weft::process {

namespace {

unsigned cpus_in_affinity_mask() {
  // The kernel refuses (EINVAL) a set that is smaller than its own; 1,024 CPUs do for nearly all machines.
  for (std::size_t cpus = 1024; cpus <= 1024 * 1024; cpus *= 4) {
    cpu_set_t* const set = CPU_ALLOC(cpus);
    if (set == nullptr) return 1;
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int result = ::sched_getaffinity(0, bytes, set);
    const int error = errno;
    const int count = result == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (result == 0) return static_cast<unsigned>(std::max(1, count));
    if (error != EINVAL) return 1;
  }
  return 1;
}

/// v2: cpu.max is "QUOTA PERIOD" or "max PERIOD", in microseconds.
std::optional<std::uint64_t> unified_quota(const std::string& directory) {
  const auto text = read_small_file(directory + "/cpu.max");
  if (!text) return std::nullopt;
  const auto quota = leading_number(*text);
  const std::size_t blank = text->find(' ');
  if (!quota || blank == std::string::npos) return std::nullopt;
  const auto period = leading_number(std::string_view{*text}.substr(blank + 1));
  if (!period || *period == 0 || *quota > UINT64_MAX / 1000) return std::nullopt;
  return *quota * 1000 / *period;
}

/// v1: two files, and -1 for no quota.
std::optional<std::uint64_t> classic_quota(const std::string& directory) {
  const auto quota_text = read_small_file(directory + "/cpu.cfs_quota_us");
  const auto period_text = read_small_file(directory + "/cpu.cfs_period_us");
  if (!quota_text || !period_text) return std::nullopt;
  const auto quota = leading_number(*quota_text);
  const auto period = leading_number(*period_text);
  if (!quota || !period || *period == 0 || *quota > UINT64_MAX / 1000) return std::nullopt;
  return *quota * 1000 / *period;
}

}  // namespace

std::optional<std::uint64_t> cpu_quota_thousandths(const std::string& root) {
  std::optional<std::uint64_t> least;
  for (const Cgroups& groups : cgroups_of("cpu", root)) {
    for (const std::string& directory : groups.directories) {
      const auto quota = groups.unified ? unified_quota(directory) : classic_quota(directory);
      if (quota && (!least || *quota < *least)) least = quota;
    }
  }
  return least;
}

unsigned cpus_allowed(const std::string& root) {
  const unsigned cpus = cpus_in_affinity_mask();
  const auto quota = cpu_quota_thousandths(root);
  if (!quota) return cpus;
  return static_cast<unsigned>(std::clamp<std::uint64_t>(*quota / 1000, 1, cpus));
}

}  // namespace weft::process
