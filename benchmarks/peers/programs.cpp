// Peers that are programs of their own: started for each slice, what they print is what was measured.

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "harness/peer.hpp"
#include "peers/pattern.hpp"
#include "peers/peers.hpp"

namespace weft::bench {

namespace {

struct Program {
  const char* id;
  const char* label;
  const char* file;     // in the folder `peers` beside this program
  const char* starter;  // what runs it, with its arguments; empty: nothing
  const char* package;  // what it takes on Debian
};

constexpr Program kPrograms[] = {
    {"onetbb", "oneTBB task_arena, promise (threads)", "weft-bench-onetbb", "", "libtbb-dev"},
    {"zeromq", "ZeroMQ ipc", "weft-bench-zeromq", "", "libzmq3-dev"},
    {"capnp", "Cap'n Proto RPC", "weft-bench-capnp", "", "libcapnp-dev capnproto"},
    {"grpc", "gRPC over a UNIX socket", "weft-bench-grpc", "", "libgrpc++-dev protobuf-compiler-grpc"},
    {"openmpi", "OpenMPI", "weft-bench-openmpi",
     "mpirun --allow-run-as-root --oversubscribe --bind-to none --mca btl self,vader -n 2",
     "libopenmpi-dev openmpi-bin"},
    {"python_process_pool", "Python ProcessPoolExecutor", "process_pool.py", "python3 -B", "python3"},
    {"node_worker_threads", "Node worker_threads (threads)", "worker_threads.mjs", "node", "nodejs"},
    {"node_child_process", "Node child_process", "child_process.mjs", "node", "nodejs"},
};

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream{text};
  return {std::istream_iterator<std::string>{stream}, {}};
}

bool on_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders{path != nullptr ? path : "/usr/bin:/bin"};
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string file_of(const Program& program) { return program_folder() + "/peers/" + program.file; }

bool here(const Program& program) {
  const std::vector<std::string> starter = words(program.starter);
  return ::access(file_of(program).c_str(), R_OK) == 0 && (starter.empty() || on_path(starter.front()));
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

struct Pipe {
  base::UniqueFd read, write;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error{errno, std::system_category(), "pipe"};
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
};

// What it printed. Throws std::runtime_error with its own last words if it failed.
std::string output_of(std::vector<std::string> command) {
  Pipe out;
  Pipe err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write.get(), STDERR_FILENO);
  std::vector<char*> argv;
  for (std::string& argument : command) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error{error, std::system_category(), "starting " + command[0]};
  out.write.reset();
  err.write.reset();
  std::string complaints;
  std::jthread listener{[&] { complaints = read_to_end(err.read.get()); }};
  const std::string text = read_to_end(out.read.get());
  listener.join();
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) {
    while (!complaints.empty() && complaints.back() == '\n') complaints.pop_back();
    throw std::runtime_error{complaints.empty() ? fmt::format("wait status {}", status)
                                                : complaints.substr(complaints.rfind('\n') + 1)};
  }
  return text;
}

void record(Run& run, const std::string& text) {
  const auto found = nlohmann::json::parse(text);
  if (found.contains("rate")) {
    run.value(found.at("rate").get<double>());
    return;
  }
  // They took their own timer's cost off already.
  for (const auto& span : found.at("ns")) {
    const double ticks = span.at(0).get<double>() / Timer::tick_ns() + Timer::cost();
    run.span(static_cast<std::uint64_t>(std::llround(ticks)), 0, span.at(1).get<std::uint64_t>());
  }
}

void measure(Run& run, const Program& program, const char* figure, std::vector<std::string>& failures) {
  std::vector<std::string> command = words(program.starter);
  for (const std::string& word :
       {file_of(program), std::string{figure}, std::to_string(run.cpu()), std::to_string(run.peer_cpu()),
        std::string{run.quick() ? "quick" : "full"}}) {
    command.push_back(word);
  }
  try {
    record(run, output_of(command));
  } catch (const std::exception& error) {
    run.skip();
    const std::string failed = fmt::format("{}, {}: it failed: {}", program.label, figure, error.what());
    if (std::find(failures.begin(), failures.end(), failed) == failures.end()) failures.push_back(failed);
  }
}

}  // namespace

void add_program_peers(std::vector<Benchmark>& to, PeersLacking& lacking) {
  for (const Program& program : kPrograms) {
    if (!here(program)) {
      lacking.absent.push_back(
          fmt::format("{} (Debian: {}; ./tools/bench --peers installs it)", program.label, program.package));
      continue;
    }
    to.push_back({{round_trip_of(program.id, program.label)},
                  [&program, &lacking](Run& run) { measure(run, program, "round_trip", lacking.failed); }});
    to.push_back({{pipelined_of(program.id, program.label)},
                  [&program, &lacking](Run& run) { measure(run, program, "pipelined", lacking.failed); }});
  }
}

}  // namespace weft::bench
