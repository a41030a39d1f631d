#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>

#include "process/allowance.hpp"
#include "process/spawn.hpp"
#include "work/call.hpp"

namespace weft::work {

/// What there is to know of a worker that ended under a task.
struct Deceased {
  std::uint64_t worker_id = 0;
  pid_t pid = -1;
  const process::ExitStatus& status;
  std::span<const std::byte> black_box;  ///< is input, and copied
  std::string task;
  std::string last_output;
  const process::Allowance& allowance;
};

/// The error that tells how it ended: WorkerCrashed or WorkerExited.
std::exception_ptr obituary(Deceased worker);

/// The task of a call, for messages.
std::string describe_call(const Call& call);

}  // namespace weft::work
