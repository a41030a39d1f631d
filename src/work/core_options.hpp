#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weft/observer.hpp>
#include <weft/pool.hpp>

#include "base/unique_fd.hpp"
#include "process/allowance.hpp"

namespace weft::work {

class PoolCore;

struct CoreOptions {
  std::size_t limit = 1;
  std::uint64_t start_timeout_ns = 0;
  std::string executable = "/proc/self/exe";
  std::optional<std::vector<std::string>> environment;
  std::string working_directory;
  std::uint64_t initializer = 0;  ///< code id of its entry, 0 for none
  process::Allowance allowance;
  Output output = Output::inherit;
  std::string output_prefix;
  std::size_t minimum = 0;
  std::uint64_t idle_timeout_ns = 0;
  std::uint64_t tasks_per_worker = 0;
  std::uint64_t worker_age_ns = 0;
  std::uint64_t worker_memory_bytes = 0;
  bool measure_times = false;
  std::uint32_t tasks_at_once = 1;
  std::uint64_t busy_poll_ns = 0;
  std::size_t queue_limit = 0;
  bool looks_first = false;  ///< submit() has more to do than to send; PoolCore() finds out itself, and
  bool all_on_terms =
      false;  ///< whether something is to be known of every task, which is kept with its terms
  OnFull on_full = OnFull::wait;
  Order order = Order::submitted;
  WorkerKind kind = WorkerKind::exec;
  unsigned nesting_depth = 0;  ///< of who made the pool
  bool replace = true;         ///< start another worker for one that ended
  std::vector<std::shared_ptr<Observer>> observers;
  std::string what = "pool";  ///< for messages
  struct Passed {
    base::UniqueFd descriptor;
    int number;  ///< there
  };
  std::vector<Passed> passed;  ///< to the first worker
};

/// Workers of this kind can be killed, and have limits, an environment and streams of their own.
constexpr bool is_process(WorkerKind kind) noexcept {
  return kind == WorkerKind::exec || kind == WorkerKind::zygote;
}

/// What a core of `limit` workers is made with. Throws ArgumentError, NotInitialized.
CoreOptions core_options(const WorkerOptions& worker, std::size_t limit);

/// At the end of the pool or worker that `core` belongs to.
void let_go(const std::shared_ptr<PoolCore>& core);

}  // namespace weft::work
