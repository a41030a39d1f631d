#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace weft::process {

/// What to start and what it shall have.
struct SpawnOptions {
  /// A path, not searched for in PATH; relative ones are taken from `working_directory`. The default is this
  /// program.
  std::string executable = "/proc/self/exe";
  /// argv including argv[0]; `executable` alone when empty.
  std::vector<std::string> arguments;
  /// "NAME=value" each; this process's own environment when absent.
  std::optional<std::vector<std::string>> environment;
  /// The child's directory; the parent's when empty.
  std::string working_directory;
  /// {number here, number in the child}. 0, 1 and 2 are inherited unless named as a target; no other
  /// descriptor reaches the child, whether or not the host program opened it with O_CLOEXEC.
  std::vector<std::pair<int, int>> descriptors;
  /// Signals that the child begins with blocked, through its exec: they wait until it has said what it makes of
  /// them. All others are unblocked.
  std::vector<int> blocked_signals;
};

/// A process that this one started and has not reaped.
///
/// Owner: whoever spawned it; destroying a Child neither kills nor reaps the process.
/// Threads: kill() from any thread; reap() from one at a time.
struct Child {
  pid_t pid =
      -1;  ///< for messages only: everything is done through `pidfd`, which cannot come to mean another
  base::UniqueFd pidfd;  ///< readable (poll, epoll) once the process has ended
};

/// How a process ended.
struct ExitStatus {
  bool known = false;      ///< false if something else in this process reaped it; the other fields are then 0
  bool signalled = false;  ///< it was killed by signal `code`; otherwise it exited with `code`
  int code = 0;
  bool core = false;  ///< a core dump was written
  rusage usage{};     ///< what it used in all, its own children that it waited for included
};

/// Starts a process with posix_spawn: no copy of the address space, safe in a threaded program. The child has
/// no signal blocked but `blocked_signals`, and every signal at its default. Blocks until the child has done its exec
/// (about 1 ms). Faults: exhausted (processes, memory, descriptors), system with the path and the reason for all else.
base::Result<Child> spawn(const SpawnOptions& options);

/// A child of this process that another one made in its stead (fork.hpp). Faults: exhausted; system, where `pid` is no
/// child of this process, or has ended and was reaped by somebody else. `what` is for messages.
base::Result<Child> adopt(const std::string& what, pid_t pid);

/// The status of a child that has ended, nullopt while it still runs. Never blocks. The host program may
/// ignore SIGCHLD or reap with waitpid(-1) itself: the status is then unknown, which is no fault.
base::Result<std::optional<ExitStatus>> reap(const Child& child);

/// reap(), after waiting for the end for at most `timeout_ms` (-1: without end). Blocks the thread, not the
/// fiber: for start-up, shut-down and tests.
base::Result<std::optional<ExitStatus>> reap_within(const Child& child, int timeout_ms);

/// Sends a signal. Nothing happens if the process has ended, reaped or not.
void kill(const Child& child, int signal) noexcept;

/// "SIGSEGV", "SIGRTMIN+2", "signal 77".
std::string signal_name(int signal);

/// "SIGSEGV (Segmentation fault)".
std::string describe_signal(int signal);

/// "3", and where a code has a usual name, of shells or sysexits.h: "70 (EX_SOFTWARE)", "127 (a command that was not
/// found)", "139 (128 + SIGSEGV)".
std::string describe_exit_code(int code);

/// "exited with code 3", "killed by SIGSEGV (Segmentation fault), core dumped".
std::string describe(const ExitStatus& status);

}  // namespace weft::process
