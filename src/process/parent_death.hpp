#pragma once

#include <sys/types.h>

namespace weft::process {

/// From now on the kernel kills this process (SIGKILL) when its parent ends, however that ends, and though this process
/// be busy or stopped; at once if the parent has ended already, which is known from `expected_parent` (the parent's
/// getpid(), told to the child when it was started).
///
/// What breaks if this changes: for the kernel the parent is the *thread* that started this process. So whoever starts
/// workers does it from a thread that lasts as long as the program (work/attendant.hpp).
///
/// Threads: once, by the first thread of a worker.
void die_with_parent(pid_t expected_parent) noexcept;

}  // namespace weft::process
