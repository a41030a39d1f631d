#include "harness/cpus.hpp"

#include <cerrno>
#include <string>
#include <system_error>

namespace weft::bench {

namespace {

cpu_set_t affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) {
    throw std::system_error{errno, std::system_category(), "sched_getaffinity"};
  }
  return set;
}

}  // namespace

std::vector<int> allowed_cpus() {
  const cpu_set_t set = affinity();
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void pin(int cpu) { pin({cpu}); }

void pin(std::initializer_list<int> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::string names;
  for (const int cpu : cpus) {
    CPU_SET(static_cast<unsigned>(cpu), &set);
    names += " " + std::to_string(cpu);
  }
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    throw std::system_error{errno, std::system_category(), "pinning to CPU" + names};
  }
}

AffinityKept::AffinityKept() : before_{affinity()} {}

AffinityKept::~AffinityKept() { ::sched_setaffinity(0, sizeof before_, &before_); }

}  // namespace weft::bench
