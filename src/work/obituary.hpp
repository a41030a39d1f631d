#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>

#include "process/spawn.hpp"
#include "work/call.hpp"

namespace weft::work {

/// The error that tells how a worker ended under a task: WorkerCrashed or WorkerExited, from its exit status and what
/// it left in its black box (which is input, and copied here).
std::exception_ptr obituary(std::uint64_t worker_id, pid_t pid, const process::ExitStatus& status,
                            std::span<const std::byte> black_box, const std::string& task);

/// The task of a call, for messages.
std::string describe_call(const Call& call);

}  // namespace weft::work
