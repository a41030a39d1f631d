#include "process/parent_death.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/check.hpp"

namespace weft::process {

void die_with_parent(pid_t expected_parent) noexcept {
  WEFT_CHECK(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl refuses PR_SET_PDEATHSIG");
  // The parent may have ended before prctl, and then no signal will come.
  if (::getppid() != expected_parent) ::kill(::getpid(), SIGKILL);
}

}  // namespace weft::process
