#include "process/spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "base/clock.hpp"
#include "process/limits.hpp"

#if !defined(P_PIDFD)
#define P_PIDFD static_cast<idtype_t>(3)
#endif

namespace weft::process {

namespace {

using base::Fault;
using base::Result;
using base::UniqueFd;

/// Names of sysexits.h, from EX__BASE on.
constexpr const char* kSysexits[] = {"EX_USAGE",    "EX_DATAERR",     "EX_NOINPUT",  "EX_NOUSER",
                                     "EX_NOHOST",   "EX_UNAVAILABLE", "EX_SOFTWARE", "EX_OSERR",
                                     "EX_OSFILE",   "EX_CANTCREAT",   "EX_IOERR",    "EX_TEMPFAIL",
                                     "EX_PROTOCOL", "EX_NOPERM",      "EX_CONFIG"};
static_assert(EX_CONFIG == EX__MAX && std::size(kSysexits) == EX__MAX - EX__BASE + 1);

constexpr int kFirstUnsharedFd = 3;

/// posix_spawn's lists, destroyed with the scope. The first error sticks.
class Plan {
 public:
  Plan() noexcept {
    note(::posix_spawn_file_actions_init(&actions_));
    note(::posix_spawnattr_init(&attributes_));
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  void change_directory(const char* path) noexcept {
    note(::posix_spawn_file_actions_addchdir_np(&actions_, path));
  }
  void duplicate(int from, int to) noexcept { note(::posix_spawn_file_actions_adddup2(&actions_, from, to)); }
  void close_one(int fd) noexcept { note(::posix_spawn_file_actions_addclose(&actions_, fd)); }
  void close_from(int fd) noexcept { note(::posix_spawn_file_actions_addclosefrom_np(&actions_, fd)); }

  void reset_signals(const std::vector<int>& blocked) noexcept {
    sigset_t mask;
    sigset_t all;
    sigemptyset(&mask);
    for (const int signal : blocked) sigaddset(&mask, signal);
    sigfillset(&all);
    note(::posix_spawnattr_setsigmask(&attributes_, &mask));
    note(::posix_spawnattr_setsigdefault(&attributes_, &all));
    note(::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  }

  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] const posix_spawn_file_actions_t* actions() const noexcept { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const noexcept { return &attributes_; }

 private:
  void note(int error) noexcept {
    if (error_ == 0) error_ = error;
  }
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  int error_ = 0;
};

/// Plans the child's descriptors. The dup2 calls run in the child one after another, so a source that is also
/// the target of an earlier pair would be overwritten before its turn: every source at or below the highest
/// target is first duplicated above it, here. `raised` keeps those duplicates open until the child has been
/// made.
Result<void> plan_descriptors(const SpawnOptions& options, Plan& plan, std::vector<UniqueFd>& raised) {
  int end = kFirstUnsharedFd;
  std::vector<int> targets;
  for (const auto& [source, target] : options.descriptors) {
    WEFT_CHECK(source >= 0 && target >= 0,
               "a descriptor to pass on must be open and have a number in the child");
    WEFT_CHECK(std::find(targets.begin(), targets.end(), target) == targets.end(),
               "two descriptors cannot have one number in the child");
    targets.push_back(target);
    end = std::max(end, target + 1);
  }
  for (const auto& [source, target] : options.descriptors) {
    int from = source;
    if (source < end) {
      UniqueFd copy{::fcntl(source, F_DUPFD_CLOEXEC, end)};
      if (!copy) {
        const int error = errno;
        const std::string what =
            "cannot pass descriptor " + std::to_string(source) + " on to a child process";
        if (error == EMFILE || error == EINVAL) return out_of_descriptors(what, EMFILE);
        return Fault::system_call(what.c_str(), error);
      }
      from = copy.get();
      raised.push_back(std::move(copy));
    }
    plan.duplicate(from, target);
  }
  for (int fd = kFirstUnsharedFd; fd < end; ++fd) {
    if (std::find(targets.begin(), targets.end(), fd) == targets.end()) plan.close_one(fd);
  }
  plan.close_from(end);
  return {};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// posix_spawn reports one errno for the chdir, the dup2 calls and the exec together: find out what it was
/// about.
Fault start_fault(const SpawnOptions& options, int error) {
  const std::string& directory = options.working_directory;
  const std::string what = "cannot start " + options.executable +
                           (directory.empty() ? std::string{} : " in directory " + directory);
  if (error == EAGAIN || error == ENOMEM) return out_of_processes(what, error);
  if (error == EMFILE || error == ENFILE) return out_of_descriptors(what, error);
  Fault fault = Fault::system_call(what.c_str(), error);
  if (!directory.empty() && ::access(directory.c_str(), X_OK) != 0) {
    fault.message += " (the directory cannot be entered)";
  } else if (error == ENOENT && options.executable.starts_with('/')) {
    fault.message += ::access(options.executable.c_str(), F_OK) == 0
                         ? " (the file exists; the interpreter or dynamic loader that it names does not)"
                         : " (the file does not exist)";
  } else if (error == EACCES) {
    fault.message += " (not executable for this user, or on a file system mounted noexec)";
  } else if (error == E2BIG) {
    fault.message += " (arguments and environment together exceed a quarter of RLIMIT_STACK)";
  }
  return fault;
}

int wait_for(int pidfd, siginfo_t& info, int options, rusage* usage) noexcept {
  info = siginfo_t{};
  for (;;) {
    // The raw call: glibc's waitid has no rusage.
    const long result = ::syscall(SYS_waitid, P_PIDFD, pidfd, &info, options, usage);
    if (result == 0) return 0;
    if (errno != EINTR) return errno;
  }
}

/// A descriptor of the child, which cannot have become another process's number: nobody reaps it but us -
/// unless the host ignores SIGCHLD or reaps everything, and then the check by waitid finds that the process
/// is not our child.
Result<Child> watch(const std::string& executable, pid_t pid) {
  Child child{pid, UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))}};
  const int error = child.pidfd ? 0 : errno;
  const std::string what = "cannot watch " + executable;
  if (error == 0) {
    siginfo_t info;
    if (wait_for(child.pidfd.get(), info, WEXITED | WNOHANG | WNOWAIT, nullptr) == 0) return child;
  } else if (error != ESRCH) {
    // The child runs but cannot be held on to, so it must not go on: it is still ours, as ESRCH would tell.
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (error == EMFILE || error == ENFILE) return out_of_descriptors(what, error);
    if (error == ENOMEM) return out_of_processes(what, error);
    return Fault::system_call(what.c_str(), error);
  }
  Fault fault = Fault::system_call(what.c_str(), ECHILD);
  fault.message += " (it ended at once, and this program reaps its children: SIGCHLD ignored or waitpid(-1))";
  return fault;
}

}  // namespace

Result<Child> spawn(const SpawnOptions& options) {
  Plan plan;
  plan.reset_signals(options.blocked_signals);
  if (!options.working_directory.empty()) plan.change_directory(options.working_directory.c_str());
  std::vector<UniqueFd> raised;
  if (auto planned = plan_descriptors(options, plan, raised); !planned) return planned.fault();
  if (plan.error() != 0) return start_fault(options, plan.error());

  const std::vector<std::string> self_named{options.executable};
  std::vector<char*> arguments = pointers(options.arguments.empty() ? self_named : options.arguments);
  std::vector<char*> environment;
  if (options.environment) environment = pointers(*options.environment);

  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, options.executable.c_str(), plan.actions(), plan.attributes(),
                                  arguments.data(), options.environment ? environment.data() : environ);
  if (error != 0) return start_fault(options, error);
  return watch(options.executable, pid);
}

Result<Child> adopt(const std::string& what, pid_t pid) { return watch(what, pid); }

Result<std::optional<ExitStatus>> reap(const Child& child) {
  siginfo_t info;
  ExitStatus status;
  const int error = wait_for(child.pidfd.get(), info, WEXITED | WNOHANG, &status.usage);
  if (error == ECHILD) {
    // Not ours to wait for (any more). If it has ended, somebody took the status; if not, it is only not our
    // child.
    pollfd ended{child.pidfd.get(), POLLIN, 0};
    if (::poll(&ended, 1, 0) == 1) return std::optional<ExitStatus>{ExitStatus{}};
    return std::optional<ExitStatus>{};
  }
  if (error != 0) return Fault::system_call("waitid", error);
  if (info.si_pid == 0) return std::optional<ExitStatus>{};
  status.known = true;
  status.signalled = info.si_code != CLD_EXITED;
  status.core = info.si_code == CLD_DUMPED;
  status.code = info.si_status;
  return std::optional<ExitStatus>{status};
}

Result<std::optional<ExitStatus>> reap_within(const Child& child, int timeout_ms) {
  pollfd ended{child.pidfd.get(), POLLIN, 0};
  const std::uint64_t begin_ns = base::now_ns();
  int left_ms = timeout_ms;
  while (::poll(&ended, 1, left_ms) < 0) {
    if (errno != EINTR) return Fault::system_call("poll");
    if (timeout_ms < 0) continue;
    const auto waited_ms = static_cast<std::int64_t>((base::now_ns() - begin_ns) / 1'000'000);
    left_ms = static_cast<int>(std::max<std::int64_t>(0, timeout_ms - waited_ms));
  }
  return reap(child);
}

void kill(const Child& child, int signal) noexcept {
  // ESRCH is the one error a live pidfd of ours can give, and says what was wanted: the process is gone.
  static_cast<void>(::syscall(SYS_pidfd_send_signal, child.pidfd.get(), signal, nullptr, 0));
}

std::string signal_name(int signal) {
  if (const char* name = ::sigabbrev_np(signal)) return std::string{"SIG"} + name;
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) {
    return signal == SIGRTMIN ? std::string{"SIGRTMIN"} : "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
  }
  return "signal " + std::to_string(signal);
}

std::string describe_signal(int signal) {
  const char* text = ::sigdescr_np(signal);
  return text == nullptr ? signal_name(signal) : signal_name(signal) + " (" + text + ")";
}

std::string describe_exit_code(int code) {
  constexpr int kShells = 128;  // what a shell adds to the signal that ended its command
  std::string name;
  if (code >= EX__BASE && code <= EX__MAX) {
    name = kSysexits[code - EX__BASE];
  } else if (code == kShells - 2) {
    name = "a command that cannot be executed";
  } else if (code == kShells - 1) {
    name = "a command that was not found";
  } else if (code > kShells && ::sigabbrev_np(code - kShells) != nullptr) {
    name = "128 + " + signal_name(code - kShells);
  }
  return std::to_string(code) + (name.empty() ? "" : " (" + name + ")");
}

std::string describe(const ExitStatus& status) {
  if (!status.known)
    return "ended, its status unknown (this program ignores SIGCHLD or reaps its children itself)";
  if (!status.signalled) return "exited with code " + describe_exit_code(status.code);
  return "killed by " + describe_signal(status.code) + (status.core ? ", core dumped" : "");
}

}  // namespace weft::process
