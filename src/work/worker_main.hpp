#pragma once

#include <csignal>

namespace weft::work {

/// How a worker is started: argv[1] is this, argv[2] the number of its control socket.
inline constexpr const char* kWorkerArgument = "--weft-worker";
inline constexpr int kWorkerControl = 3;
/// What a terminal sends to a whole process group. A worker is started with them blocked, and then ignores them.
inline constexpr int kTerminalSignals[] = {SIGINT, SIGQUIT};

/// The whole life of a worker process: handshake, initializer, tasks. `control` is the inherited socket.
[[noreturn]] void worker_main(int control);

/// Workers above this process: 0 in the program itself, 1 in its workers, and so on.
unsigned nesting_depth() noexcept;

}  // namespace weft::work
