#pragma once

#include <sched.h>

#include <initializer_list>
#include <vector>

namespace weft::bench {

/// The CPUs that the calling thread may run on, lowest first.
std::vector<int> allowed_cpus();

/// Keeps the calling thread on `cpu`; whatever it starts from then on inherits that. Throws std::system_error.
void pin(int cpu);
/// The same for several.
void pin(std::initializer_list<int> cpus);

/// Gives its thread back the CPUs that it had. Threads: the one that made it.
class AffinityKept {
 public:
  AffinityKept();
  AffinityKept(const AffinityKept&) = delete;
  AffinityKept& operator=(const AffinityKept&) = delete;
  ~AffinityKept();

 private:
  cpu_set_t before_;
};

/// pin() for as long as it lives.
class Pinned {
 public:
  explicit Pinned(int cpu) { pin(cpu); }

 private:
  AffinityKept kept_;
};

}  // namespace weft::bench
