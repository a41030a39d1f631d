#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace weft::memory {

/// What was being done to a region when the kernel refused.
enum class Step {
  create,   ///< memfd_create
  size,     ///< ftruncate
  reserve,  ///< fallocate
  map,      ///< mmap
  seal,     ///< fcntl(F_ADD_SEALS)
};

/// The Fault for `error` (an errno) at `step` of a region of `bytes`. Where a limit was met it is
/// Fault::exhausted and names the limit, its present value and how to raise it; anything else is
/// Fault::system.
base::Fault describe_failure(Step step, int error, std::uint64_t bytes);

/// Refuses a region that the machine has not the memory for, before the kernel has to kill a process to
/// provide it.
base::Result<void> check_machine_memory(std::uint64_t bytes);

/// The Fault for a region of `bytes` where the control group leaves only `headroom_bytes`.
base::Fault beyond_headroom(std::uint64_t bytes, std::uint64_t headroom_bytes);

}  // namespace weft::memory
