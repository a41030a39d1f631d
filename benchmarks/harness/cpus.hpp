#pragma once

#include <sched.h>

#include <vector>

namespace weft::bench {

/// The CPUs that the calling thread may run on, lowest first.
std::vector<int> allowed_cpus();

/// Keeps the calling thread on `cpu`; whatever it starts from then on inherits that. Throws std::system_error.
void pin(int cpu);

/// pin() for as long as it lives, then what was before. Threads: the one that made it.
class Pinned {
 public:
  explicit Pinned(int cpu);
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned();

 private:
  cpu_set_t before_;
};

}  // namespace weft::bench
