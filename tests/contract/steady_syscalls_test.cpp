// The loaded path makes no system call, in neither process and on no thread. Somebody else may take the processor away in
// the middle of it, and then the other side rightly goes to sleep: so there must be stretches without any call, and in
// the others none but those of waiting. The budget, none, is tests/budget/budgets.json's.

#include <errno.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "contract/steady_subject.hpp"
#include "crash/scratch.hpp"

namespace weft::contract {
namespace {

/// Bucket number -> the calls that were made in it.
using Buckets = std::map<std::uint64_t, std::multiset<long>>;

pid_t start_traced(const std::string& scoreboard, int depth) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const std::string text = std::to_string(depth);
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(77);
  ::raise(SIGSTOP);
  ::execl("/proc/self/exe", "steady", "--role", "buckets", scoreboard.c_str(), text.c_str(), nullptr);
  ::_exit(78);
}

/// Follows the program and all that it starts to their ends, and calls `on_call(number, first argument)` at each system
/// call that one of them makes. False if this process may not trace.
template <class OnCall>
testing::AssertionResult trace(pid_t program, OnCall on_call) {
  int status = 0;
  if (::waitpid(program, &status, 0) != program) return testing::AssertionFailure() << "no child";
  if (WIFEXITED(status)) return testing::AssertionFailure() << "ptrace is not allowed here";
  constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                            PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  ::ptrace(PTRACE_SETOPTIONS, program, nullptr, kOptions);
  ::ptrace(PTRACE_SYSCALL, program, nullptr, nullptr);
  std::set<pid_t> known{program};
  int code = -1;
  for (;;) {
    const pid_t task = ::waitpid(-1, &status, __WALL);
    if (task < 0) break;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (task == program) code = status;
      continue;
    }
    long signal = 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      __ptrace_syscall_info info{};
      if (::ptrace(PTRACE_GET_SYSCALL_INFO, task, sizeof info, &info) > 0 &&
          info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        on_call(static_cast<long>(info.entry.nr), info.entry.args[0]);
      }
    } else if (status >> 16 == 0) {
      // A new task begins with a SIGSTOP of the tracer's making; every other signal is its own.
      const bool is_new = known.insert(task).second;
      if (!(is_new && WSTOPSIG(status) == SIGSTOP)) signal = WSTOPSIG(status);
    }
    ::ptrace(PTRACE_SYSCALL, task, nullptr, signal);
  }
  if (code != 0) return testing::AssertionFailure() << "the program ended with status " << code;
  return testing::AssertionSuccess();
}

bool is_waiting(long call) {
  for (const long each : {SYS_sched_yield, SYS_epoll_pwait2, SYS_epoll_wait, SYS_epoll_pwait, SYS_write,
                          SYS_futex, SYS_membarrier, SYS_restart_syscall}) {
    if (call == each) return true;
  }
  return false;
}

int cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  return CPU_COUNT(&set);
}

class LoadedPath : public testing::TestWithParam<int> {};

TEST_P(LoadedPath, makes_no_system_call) {
  if (cores() < 2) GTEST_SKIP() << "with one core nobody spins";
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's runtime makes calls of its own";
#endif
  const crash::Scratch scratch;
  Scoreboard& board = *map_scoreboard(scratch.file("board"), true);
  constexpr std::uint64_t kClean = 10;
  // A thread that comes in late, because the one that waited was held up, gets a heap of its own from malloc: once.
  constexpr int kFirstTimes = 8;
  std::string others;
  int other_calls = 0;
  Buckets buckets;
  std::uint64_t checked = 0;
  std::uint64_t clean = 0;
  const testing::AssertionResult traced =
      trace(start_traced(scratch.file("board"), GetParam()), [&](long call, std::uint64_t argument) {
        const std::uint64_t bucket = board.round.load() / kBucketRounds;
        if (call != SYS_prctl || argument != kBucketsDone) {
          buckets[bucket].insert(call);
          return;
        }
        // The first stretch is for warming up. The one that this call ends in is left out, as are its neighbours.
        for (std::uint64_t each = checked + 2; each + 1 < bucket; ++each) {
          if (checked != 0 && buckets[each].size() <= WEFT_BUDGET_SYSTEM_CALLS) ++clean;
          if (checked == 0) continue;
          for (const long made : buckets[each]) {
            if (!is_waiting(made)) others += std::to_string(made) + ' ', ++other_calls;
          }
          if (buckets[each].empty()) buckets.erase(each);
        }
        checked = bucket;
        if (clean >= kClean || other_calls > kFirstTimes) board.enough = true;
      });
  ASSERT_TRUE(traced);
  EXPECT_LE(other_calls, kFirstTimes) << "system calls " << others;
  EXPECT_GE(clean, kClean) << "stretches of " << kBucketRounds << " tasks without a system call";
}

INSTANTIATE_TEST_SUITE_P(Depth, LoadedPath, testing::Values(1, 250));

}  // namespace
}  // namespace weft::contract
