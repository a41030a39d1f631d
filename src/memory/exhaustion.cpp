#include "memory/exhaustion.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "base/unique_fd.hpp"

namespace weft::memory {

using base::Fault;

namespace {

const char* name_of(Step step) {
  switch (step) {
    case Step::create:
      return "memfd_create";
    case Step::size:
      return "ftruncate";
    case Step::reserve:
      return "fallocate";
    case Step::map:
      return "mmap";
    case Step::seal:
      return "fcntl(F_ADD_SEALS)";
  }
  return "?";
}

std::string value_of(rlim_t value) { return value == RLIM_INFINITY ? "unlimited" : std::to_string(value); }

/// "RLIMIT_FSIZE (4096 bytes, hard limit unlimited)"
std::string limit_text(const char* name, decltype(RLIMIT_FSIZE) which, const char* unit) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return name;
  return std::string{name} + " (" + value_of(limit.rlim_cur) + unit + ", hard limit " +
         value_of(limit.rlim_max) + ")";
}

bool is_limited(decltype(RLIMIT_FSIZE) which) {
  rlimit limit{};
  return ::getrlimit(which, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/// Which limit stands behind `error`; empty if none does.
std::string limit_behind(Step step, int error) {
  switch (error) {
    case EFBIG:
      return limit_text("RLIMIT_FSIZE", RLIMIT_FSIZE, " bytes") +
             " is met; raise it with `ulimit -f` or setrlimit";
    case EMFILE:
      return limit_text("RLIMIT_NOFILE", RLIMIT_NOFILE, " descriptors") +
             " is met; raise it with `ulimit -n` or setrlimit";
    case ENFILE:
      return "the system's open files (fs.file-max) are used up; raise it with `sysctl fs.file-max`";
    case ENOSPC:
      return "the system may promise no more shared memory (vm.overcommit_memory, vm.overcommit_ratio, or "
             "the size of its tmpfs); add memory or swap, or raise them with `sysctl`";
    case EAGAIN:
      return limit_text("RLIMIT_MEMLOCK", RLIMIT_MEMLOCK, " bytes") +
             " is met; raise it with `ulimit -l` or setrlimit";
    case ENOMEM:
      if (step == Step::map && is_limited(RLIMIT_AS)) {
        return limit_text("RLIMIT_AS", RLIMIT_AS, " bytes") +
               " is met; raise it with `ulimit -v` or setrlimit";
      }
      if (step == Step::map) {
        return "the process may map no more (vm.max_map_count mappings, or the address space); raise it with "
               "`sysctl vm.max_map_count`";
      }
      return "memory ran out (the machine's, or memory.max of this control group); raise that limit, or send "
             "less at a time";
    default:
      return {};
  }
}

/// The value of a line "Name:   123 kB" of /proc/meminfo, in bytes; 0 if it is not there.
std::uint64_t meminfo_bytes(std::string_view text, std::string_view name) {
  const std::size_t found = text.find(name);
  if (found == std::string_view::npos) return 0;
  // `text` lies in a zero-terminated array, so strtoull stops within it.
  return std::strtoull(text.data() + found + name.size(), nullptr, 10) * 1024;
}

}  // namespace

Fault describe_failure(Step step, int error, std::uint64_t bytes) {
  std::string message = "a shared-memory region of " + std::to_string(bytes) + " bytes: ";
  const std::string limit = limit_behind(step, error);
  if (!limit.empty()) message += limit + " [";
  message += std::string{name_of(step)} + ": " + std::strerror(error);
  if (limit.empty()) return {Fault::Kind::system, error, std::move(message)};
  return Fault::exhausted(message + "]", error);
}

base::Result<void> check_machine_memory(std::uint64_t bytes) {
  if (bytes < base::kRegionAskFirstBytes) return {};
  const base::UniqueFd file{::open("/proc/meminfo", O_RDONLY | O_CLOEXEC)};
  // Without /proc there is nothing to ask; fallocate will tell.
  if (!file) return {};
  std::array<char, 4096> text{};
  const ssize_t length = ::read(file.get(), text.data(), text.size() - 1);
  if (length <= 0) return {};
  const std::string_view all{text.data(), static_cast<std::size_t>(length)};
  const std::uint64_t available = meminfo_bytes(all, "MemAvailable:") + meminfo_bytes(all, "SwapFree:");
  if (available == 0 || bytes + base::kMemoryReserveBytes <= available) return {};
  return Fault::exhausted("a shared-memory region of " + std::to_string(bytes) +
                              " bytes: the machine has only " + std::to_string(available) +
                              " bytes of memory and swap left; add memory or swap, or send less at a time",
                          ENOMEM);
}

Fault beyond_headroom(std::uint64_t bytes, std::uint64_t headroom_bytes) {
  return Fault::exhausted("a shared-memory region of " + std::to_string(bytes) +
                              " bytes: the memory limit of this control group (memory.max) leaves " +
                              std::to_string(headroom_bytes) + " bytes; raise it, or send less at a time",
                          ENOMEM);
}

}  // namespace weft::memory
