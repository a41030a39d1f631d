#include "process/limits.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace weft::process {

namespace {

std::string soft_limit(decltype(RLIMIT_NPROC) resource) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return "unknown";
  return limit.rlim_cur == RLIM_INFINITY ? std::string{"unlimited"} : std::to_string(limit.rlim_cur);
}

}  // namespace

base::Fault out_of_processes(const std::string& what, int error) {
  std::string message = what + ": " + std::strerror(error);
  if (error == ENOMEM) {
    message +=
        "; the machine or its memory cgroup (memory.max) has no memory for another process, or "
        "vm.overcommit_memory refuses it";
  } else {
    message +=
        "; RLIMIT_NPROC is " + soft_limit(RLIMIT_NPROC) +
        " processes and threads for this user: raise it with `ulimit -u` or LimitNPROC=; if that is not "
        "reached, the cgroup's pids.max (TasksMax=, --pids-limit) or kernel.pid_max is";
  }
  return base::Fault::exhausted(std::move(message), error);
}

base::Fault out_of_descriptors(const std::string& what, int error) {
  std::string message = what + ": " + std::strerror(error);
  if (error == ENFILE) {
    message += "; the whole machine is at fs.file-max: raise it with `sysctl fs.file-max`";
  } else {
    message +=
        "; RLIMIT_NOFILE is " + soft_limit(RLIMIT_NOFILE) +
        " descriptors: raise it with `ulimit -n`, LimitNOFILE= or, of a worker, WorkerLimits::open_files";
  }
  return base::Fault::exhausted(std::move(message), error);
}

}  // namespace weft::process
