#pragma once

#include <csignal>
#include <cstdint>
#include <memory>

#include "link/buffer_box.hpp"
#include "memory/region.hpp"

namespace weft::work {

/// How a worker is started: argv[1] is this, argv[2] the number of its control socket.
inline constexpr const char* kWorkerArgument = "--weft-worker";
inline constexpr int kWorkerControl = 3;
/// The same for the process that the workers of a pool are copied from.
inline constexpr const char* kZygoteArgument = "--weft-zygote";
/// What regions of shared memory are called, for whoever watches from outside (inspect.cpp).
inline constexpr const char* kParentLane = "weft-parent-lane";
inline constexpr const char* kWorkerLane = "weft-worker-lane";
inline constexpr const char* kThreadLane = "weft-thread-lane";
inline constexpr const char* kBoard = "weft-board";
/// What processes are called that have been started as a worker, or as one that workers are copied from.
inline constexpr const char* kWorkerName = "weft-worker";
inline constexpr const char* kZygoteName = "weft-zygote";
/// In its environment, if that does not say anything of it: to be taken out again.
inline constexpr const char* kBindNow = "LD_BIND_NOW=weft";
/// What a terminal sends to a whole process group. A worker is started with them blocked, and then ignores them.
inline constexpr int kTerminalSignals[] = {SIGINT, SIGQUIT};

/// The whole life of a worker process: handshake, initializer, tasks. `control` is the inherited socket.
[[noreturn]] void worker_main(int control);
/// The same from the handshake on, in a copy of a zygote, which has crash handlers and the worker's `lane` already. Its
/// parent does not wait until it says that it is ready, so it does not say so.
[[noreturn]] void copied_worker_main(int control, memory::OwnedRegion lane);

/// The life of a process that workers are copied from: handshake, initializer, then a copy whenever the parent asks for
/// one. Each copy goes on as a worker.
[[noreturn]] void zygote_main(int control);

/// What both begin with: signals of the terminal go to the parent, which decides; everything else is as a fresh program
/// has it. `name` is the thread's, for people.
void begin_worker(const char* name) noexcept;

/// A worker that is a thread of the program: the same from the handshake on. Returns when the parent has said goodbye or
/// closed its end, and the tasks that had begun have returned. What it was lent comes back to the box that it returns (null
/// if it never got so far); what it has lent is entrusted to `parents`.
std::shared_ptr<link::ReturnBox> serve_as_thread(int control, link::ReturnBox& parents);

void set_nesting_depth(unsigned to) noexcept;
/// Workers above this process, or this thread: 0 in the program itself, 1 in its workers, and so on.
unsigned nesting_depth() noexcept;
/// The same of this process, whatever the thread.
unsigned process_depth() noexcept;

}  // namespace weft::work
