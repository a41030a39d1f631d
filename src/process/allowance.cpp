#include "process/allowance.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace weft::process {

namespace {

using base::Fault;
using base::Result;
using Resource = decltype(RLIMIT_DATA);

Fault refused(const std::string& what, const std::string& why) {
  const int error = errno;
  Fault fault = Fault::system_call(what.c_str(), error);
  if (error == EPERM || error == EACCES || error == EINVAL) fault.message += why;
  return fault;
}

Result<void> limit(pid_t pid, Resource resource, const char* name, std::uint64_t soft, std::uint64_t hard) {
  if (soft == 0) return {};
  const rlimit value{soft, hard};
  if (::prlimit(pid, resource, &value, nullptr) == 0) return {};
  return refused("cannot limit a worker by " + std::string{name} + " to " + std::to_string(soft),
                 " (this program's own hard limit is lower, or the worker runs as another user)");
}

Result<void> bind(pid_t pid, const std::vector<unsigned>& cpus) {
  if (cpus.empty()) return {};
  const unsigned count = *std::max_element(cpus.begin(), cpus.end()) + 1;
  const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set{CPU_ALLOC(count),
                                                             [](cpu_set_t* each) { CPU_FREE(each); }};
  const std::size_t bytes = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(bytes, set.get());
  for (const unsigned cpu : cpus) CPU_SET_S(cpu, bytes, set.get());
  if (::sched_setaffinity(pid, bytes, set.get()) == 0) return {};
  return refused("cannot bind a worker to its CPUs",
                 " (none of them is online and in this program's cpuset)");
}

}  // namespace

Result<void> allow(pid_t pid, const Allowance& allowance) {
  const std::uint64_t cpu = allowance.cpu_seconds;
  for (auto done : {limit(pid, RLIMIT_DATA, "RLIMIT_DATA", allowance.memory_bytes, allowance.memory_bytes),
                    limit(pid, RLIMIT_CPU, "RLIMIT_CPU", cpu, cpu + 1),
                    limit(pid, RLIMIT_NOFILE, "RLIMIT_NOFILE", allowance.open_files, allowance.open_files),
                    bind(pid, allowance.cpus)}) {
    if (!done) return done.fault().error == ESRCH ? Result<void>{} : done;
  }
  if (allowance.nice && ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), *allowance.nice) != 0 &&
      errno != ESRCH) {
    return refused("cannot set a worker's nice value to " + std::to_string(*allowance.nice),
                   " (a lower one than this program's needs CAP_SYS_NICE or RLIMIT_NICE)");
  }
  return {};
}

std::string limit_hit(const Allowance& allowance, const ExitStatus& status) {
  if (allowance.cpu_seconds == 0 || !status.signalled) return {};
  const auto used = static_cast<std::uint64_t>(status.usage.ru_utime.tv_sec + status.usage.ru_stime.tv_sec);
  // A program that ignores the one is killed by the other.
  if (status.code != SIGXCPU && (status.code != SIGKILL || used < allowance.cpu_seconds)) return {};
  return "it has used its " + std::to_string(allowance.cpu_seconds) +
         " s of processor time (RLIMIT_CPU, WorkerLimits::cpu_time)";
}

std::string memory_limit() {
  for (const auto& [resource, name] : {std::pair{RLIMIT_DATA, "RLIMIT_DATA"}, {RLIMIT_AS, "RLIMIT_AS"}}) {
    rlimit value{};
    if (::getrlimit(resource, &value) == 0 && value.rlim_cur != RLIM_INFINITY)
      return "its memory is limited to " + describe_bytes(value.rlim_cur) + " (" + name + ")";
  }
  return {};
}

std::string open_files_limit() {
  rlimit value{};
  ::getrlimit(RLIMIT_NOFILE, &value);
  return "its open files are limited to " + std::to_string(value.rlim_cur) + " (RLIMIT_NOFILE)";
}

std::string describe_bytes(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = 1U << 20;
  return bytes % kMiB == 0 ? std::to_string(bytes / kMiB) + " MiB" : std::to_string(bytes) + " bytes";
}

}  // namespace weft::process
