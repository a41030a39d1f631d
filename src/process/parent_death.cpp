#include "process/parent_death.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "base/check.hpp"

namespace weft::process {

namespace {

#if defined(SIGSTKFLT)
constexpr int kParentDied = SIGSTKFLT;
#else
constexpr int kParentDied = SIGPWR;
#endif

// Written once before the handler is installed, read by the handler; relaxed, since sigaction orders the two.
std::atomic<pid_t> parent{0};

void die_if_orphaned() noexcept {
  if (::getppid() != parent.load(std::memory_order_relaxed)) ::kill(::getpid(), SIGKILL);
}

void on_parent_died(int) {
  const int saved = errno;
  die_if_orphaned();
  errno = saved;
}

}  // namespace

void die_with_parent(pid_t expected_parent) noexcept {
  parent.store(expected_parent, std::memory_order_relaxed);
  struct sigaction action {};
  action.sa_handler = on_parent_died;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  WEFT_CHECK(::sigaction(kParentDied, &action, nullptr) == 0, "sigaction refuses the signal of parent death");
  WEFT_CHECK(::prctl(PR_SET_PDEATHSIG, kParentDied) == 0, "prctl refuses PR_SET_PDEATHSIG");
  die_if_orphaned();  // The parent may have ended before prctl, and then no signal will come.
}

}  // namespace weft::process
