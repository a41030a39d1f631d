#pragma once

#include <sys/types.h>

namespace weft::process {

/// From now on this process is killed (SIGKILL) when its parent ends, however it ends and whatever this
/// process is busy with; at once if the parent has ended already, which is known from `expected_parent` (the
/// parent's getpid(), told to the child when it was started).
///
/// The kernel's own signal of parent death is sent when the *thread* that started this process ends, though
/// the parent may live on. So it is not SIGKILL itself that is asked for, but a signal that nothing else
/// uses, whose handler looks whether the parent has gone. What breaks if this changes: a worker that was
/// started from a passing thread dies with that thread.
///
/// Threads: once, by the first thread of a worker. Signals: takes SIGSTKFLT (its default action ends the
/// process too, so a task that resets all handlers still leaves no orphan).
void die_with_parent(pid_t expected_parent) noexcept;

}  // namespace weft::process
