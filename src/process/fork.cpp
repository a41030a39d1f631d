#include "process/fork.hpp"

#include <dirent.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>

namespace weft::process {

std::string other_threads() {
  const std::unique_ptr<DIR, int (*)(DIR*)> threads{::opendir("/proc/self/task"), &::closedir};
  if (!threads) return "an unknown number of other threads (/proc cannot be read)";
  std::size_t count = 0;
  std::string names;
  while (const dirent* const entry = ::readdir(threads.get())) {
    const long id = std::strtol(entry->d_name, nullptr, 10);
    if (id == 0 || id == ::gettid()) continue;
    std::string name;
    std::getline(std::ifstream{"/proc/self/task/" + std::to_string(id) + "/comm"}, name);
    names += (count++ == 0 ? "" : ", ") + name;
  }
  if (count == 0) return {};
  return std::to_string(count) + (count == 1 ? " other thread (" : " other threads (") + names + ")";
}

base::Result<pid_t> fork_sibling(pid_t* pid_word) {
  // What fork() of the C library does for itself: the kernel writes the child's id to where the library keeps it, and
  // knows where the list of its robust mutexes is.
  int* thread_id = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &thread_id) != 0)
    return base::Fault::system_call("prctl(PR_GET_TID_ADDRESS)");
  void* robust_list = nullptr;
  std::size_t robust_bytes = 0;
  if (::syscall(SYS_get_robust_list, 0, &robust_list, &robust_bytes) != 0)
    return base::Fault::system_call("get_robust_list");
  clone_args how{};
  // With CLONE_PARENT the child ends with the signal that this process ends with: SIGCHLD.
  how.flags = CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  how.parent_tid = reinterpret_cast<std::uintptr_t>(pid_word);
  how.child_tid = reinterpret_cast<std::uintptr_t>(thread_id);
  const long pid = ::syscall(SYS_clone3, &how, sizeof how);
  if (pid < 0) return base::Fault::system_call("clone3");
  if (pid == 0) ::syscall(SYS_set_robust_list, robust_list, robust_bytes);
  return static_cast<pid_t>(pid);
}

}  // namespace weft::process
