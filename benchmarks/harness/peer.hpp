#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace weft::bench {

/// The other process of a benchmark: this program started again, which runs the function that was registered under
/// `name` on the given CPU. Started rather than forked, since by then this process may have threads and workers.
///
/// Owner: one repetition; destruction kills the process and waits for its end. Crash: it dies with this process.
class Peer {
 public:
  /// `fds` are what peer_fd(0), peer_fd(1), ... give it. Returns when the process is about to run the function.
  /// Throws std::system_error if it cannot be started, std::runtime_error if it ends before that.
  Peer(std::string_view name, std::initializer_list<int> fds, int cpu);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

 private:
  void end() noexcept;
  pid_t pid_ = -1;
};

/// A peer's descriptor, counted from 0.
constexpr int peer_fd(int index) noexcept { return 4 + index; }

/// What a peer runs; it may return or be killed.
using PeerMain = void (*)();
void add_peer(std::string_view name, PeerMain peer_main);

/// To be called before anything else reads the arguments: in a peer it runs it and never returns.
void become_peer(int argc, char** argv);

/// Another program, from its start to its destruction, which kills it. Throws std::system_error if it cannot be started.
class Spawned {
 public:
  Spawned(const std::string& path, const std::vector<std::string>& arguments);
  Spawned(const Spawned&) = delete;
  Spawned& operator=(const Spawned&) = delete;
  ~Spawned();
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_ = -1;
};

/// Starts `path`, waits for its end and returns whether it exited with 0. Throws std::system_error.
bool spawn_and_wait(const std::string& path, const std::vector<std::string>& arguments = {});

/// The folder that this program lies in.
std::string program_folder();

}  // namespace weft::bench
