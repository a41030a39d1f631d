#include "harness/peer.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "base/unique_fd.hpp"
#include "harness/cpus.hpp"

namespace weft::bench {

namespace {

constexpr const char* kFlag = "--peer";
// The peer writes a byte there when it is about to begin; its end is closed if it dies before.
constexpr int kReadyFd = peer_fd(0) - 1;

std::map<std::string, PeerMain, std::less<>>& peers() {
  static std::map<std::string, PeerMain, std::less<>> all;
  return all;
}

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error{error, std::system_category(), what};
}

pid_t spawn(const std::string& path, const posix_spawn_file_actions_t* actions,
            std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, path.c_str(), actions, nullptr, argv.data(), environ);
  if (error != 0) fail(error, "starting " + path);
  return pid;
}

pid_t spawn(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<std::string> all{path};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return spawn(path, nullptr, all);
}

int wait_for(pid_t pid) noexcept {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void kill_and_wait(pid_t pid) noexcept {
  ::kill(pid, SIGKILL);
  wait_for(pid);
}

}  // namespace

Peer::Peer(std::string_view name, std::initializer_list<int> fds, int cpu) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) fail(errno, "pipe");
  const base::UniqueFd ready_read{ready[0]};
  base::UniqueFd ready_write{ready[1]};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // Copies with high numbers first: otherwise one of the targets could be a source that is still needed.
  std::vector<base::UniqueFd> sources;
  const auto lend = [&](int fd, int target) {
    sources.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
    if (!sources.back()) fail(errno, "a descriptor for " + std::string{name});
    posix_spawn_file_actions_adddup2(&actions, sources.back().get(), target);
  };
  lend(ready_write.get(), kReadyFd);
  int index = 0;
  for (const int fd : fds) lend(fd, peer_fd(index++));
  pid_ = spawn("/proc/self/exe", &actions, {"weft-bench", kFlag, std::string{name}, std::to_string(cpu)});
  posix_spawn_file_actions_destroy(&actions);

  sources.clear();
  ready_write.reset();
  char byte = 0;
  if (::read(ready_read.get(), &byte, 1) == 1) return;
  end();
  throw std::runtime_error{"the other process of " + std::string{name} + " did not start"};
}

Peer::~Peer() { end(); }

void Peer::end() noexcept { kill_and_wait(pid_); }

Spawned::Spawned(const std::string& path, const std::vector<std::string>& arguments)
    : pid_{spawn(path, arguments)} {}

Spawned::~Spawned() { kill_and_wait(pid_); }

void add_peer(std::string_view name, PeerMain peer_main) { peers().emplace(name, peer_main); }

void become_peer(int argc, char** argv) {
  if (argc != 4 || std::string_view{argv[1]} != kFlag) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    pin(std::atoi(argv[3]));
    const PeerMain peer_main = peers().at(argv[2]);
    if (::write(kReadyFd, "", 1) != 1) fail(errno, "telling that it runs");
    ::close(kReadyFd);
    peer_main();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "the peer of %s: %s\n", argv[2], error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

bool spawn_and_wait(const std::string& path, const std::vector<std::string>& arguments) {
  return wait_for(spawn(path, arguments)) == 0;
}

std::string program_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

}  // namespace weft::bench
