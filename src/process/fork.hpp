#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"

namespace weft::process {

/// The threads of this process beside the calling one: "2 other threads (weft-attendant, pool-1)"; empty if there are
/// none.
std::string other_threads();

/// Copies this process, as fork() does, into a child of this process's own *parent*, which is told of the child's end
/// and reaps it as if it had started it. Gives the child's process id; 0 in the child. The kernel writes it to
/// `pid_word` too before the child runs: where this process may be killed between that and the return, somebody else
/// who reads that memory still knows.
///
/// For a process with one thread, none of whose locks anybody holds: handlers of pthread_atfork() do not run. In the child
/// the C library knows its new thread id, and no signal of parent death is set.
/// Faults: system, with the errno of clone3().
base::Result<pid_t> fork_sibling(pid_t* pid_word);

}  // namespace weft::process
