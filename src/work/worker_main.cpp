#include "work/worker_main.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "base/failure_point.hpp"
#include "base/limits.hpp"
#include "base/unique_fd.hpp"
#include "link/board.hpp"
#include "link/exchange.hpp"
#include "memory/region.hpp"
#include "process/descriptors.hpp"
#include "wire/control.hpp"
#include "work/handshake.hpp"
#include "work/identity.hpp"
#include "work/initializer.hpp"
#include "work/output.hpp"
#include "work/worker_loop.hpp"

namespace weft::work {

namespace {

unsigned depth = 0;
/// Of a worker that is this thread.
thread_local unsigned thread_depth = 0;

/// What came with the parent's Hello: its lane, its board and its two bells, and what this worker's own lane and bell
/// shall be.
struct Greeting {
  wire::Hello hello;
  memory::PeerRegion lane;
  memory::PeerRegion board;
  base::UniqueFd attendant_bell;
  base::UniqueFd waiter_bell;
  memory::OwnedRegion own_lane;
  base::UniqueFd own_bell;
};

/// With the last descriptor comes what shall be the worker's lane, unless it has it already.
Greeting receive_greeting(Handshake& handshake, bool has_lane) {
  Greeting greeting;
  std::vector<base::UniqueFd> fds;
  greeting.hello = handshake.hello(fds, has_lane ? 5 : 6);
  greeting.lane = handshake.need(
      "handshake", memory::PeerRegion::map(std::move(fds[0]), greeting.hello.parent_lane_bytes));
  greeting.board =
      handshake.need("handshake", memory::PeerRegion::map(std::move(fds[1]), sizeof(link::Board)));
  greeting.attendant_bell = std::move(fds[2]);
  greeting.waiter_bell = std::move(fds[3]);
  greeting.own_bell = std::move(fds[4]);
  if (!has_lane) {
    greeting.own_lane = handshake.need(
        "shared memory", memory::OwnedRegion::take(std::move(fds[5]), greeting.hello.worker_lane_bytes));
  }
  WEFT_FAILURE_POINT("worker.handshake.after_hello");
  return greeting;
}

/// What is different in a process, in a copy of one, and in a thread.
struct Kind {
  base::Result<void> (*keep_record)(process::BlackBox*);
  link::ReturnBox* parents = nullptr;  ///< of a thread
  memory::OwnedRegion lane = {};       ///< of a copy
};
std::shared_ptr<link::ReturnBox> serve(int control, Kind kind);

}  // namespace

unsigned nesting_depth() noexcept { return thread_depth != 0 ? thread_depth : depth; }

void begin_worker(const char* name) noexcept {
  sigset_t mask;
  sigemptyset(&mask);
  // They come blocked, since one may be sent before this is reached; ignoring them drops what has come.
  for (const int signal : kTerminalSignals) {
    ::signal(signal, SIG_IGN);
    sigaddset(&mask, signal);
  }
  ::sigprocmask(SIG_UNBLOCK, &mask, nullptr);
  ::prctl(PR_SET_NAME, name);  // else it would be called "exe", after the link that it was started by
}

void set_nesting_depth(unsigned to) noexcept { depth = to; }

unsigned process_depth() noexcept { return depth; }

void worker_main(int control) {
  begin_worker(kWorkerName);
  ::fcntl(control, F_SETFD, FD_CLOEXEC);
  serve(control, {.keep_record = process::install_crash_handlers});
  std::abort();  // not reached
}

void copied_worker_main(int control, memory::OwnedRegion lane) {
  ::prctl(PR_SET_NAME, kWorkerName);
  lane.lose_on_fork();
  const auto change_record = [](process::BlackBox* box) {
    process::change_black_box(box);
    return base::Result<void>{};
  };
  serve(control, {.keep_record = change_record, .lane = std::move(lane)});
  std::abort();  // not reached
}

std::shared_ptr<link::ReturnBox> serve_as_thread(int control, link::ReturnBox& parents) {
  const ThreadStore own_store;
  try {
    return serve(control, {.keep_record = [](process::BlackBox*) { return base::Result<void>{}; },
                           .parents = &parents});
  } catch (const Handshake::Ended&) {
    return nullptr;
  }
}

namespace {

std::shared_ptr<link::ReturnBox> serve(int control, Kind kind) {
  const bool is_thread = kind.parents != nullptr;
  const bool is_copy = kind.lane.data() != nullptr;
  Handshake handshake{control, is_thread};
  Greeting greeting = receive_greeting(handshake, is_copy);
  const wire::Hello& hello = greeting.hello;
  (is_thread ? thread_depth : depth) = hello.nesting_depth;
  if (hello.output > static_cast<std::uint8_t>(Output::capture))
    handshake.fail("handshake", "the parent asked for a kind of output that there is not");
  TaskOutput output = handshake.need("output", TaskOutput::make(static_cast<Output>(hello.output)));

  const memory::OwnedRegion lane = std::move(is_copy ? kind.lane : greeting.own_lane);
  if (ring::lane_bytes(hello.ring_lines, hello.black_box_bytes) > lane.bytes()) {
    handshake.fail("handshake", "the parent named lane sizes that do not fit together");
  }
  const ring::LaneView own = ring::format_lane(lane.data(), hello.ring_lines, hello.black_box_bytes,
                                               static_cast<std::uint32_t>(::getpid()));
  const ring::LaneView parent_lane =
      handshake.need("handshake", ring::open_lane(greeting.lane.data(), greeting.lane.bytes()));
  if (parent_lane.black_box_bytes < sizeof(link::StopLog))
    handshake.fail("handshake", "the parent's lane has no stop log");
  const auto* const stop_log = reinterpret_cast<const link::StopLog*>(parent_lane.black_box);
  auto* const box = process::make_black_box({own.black_box, static_cast<std::size_t>(own.black_box_bytes)});
  if (auto done = kind.keep_record(box); !done) handshake.fail("crash handlers", done.fault().message);
  auto reactors = fiber::Reactor::open();
  if (!reactors) handshake.fail("descriptors", base::Fault::system_call("epoll_create1").message);

  if (!is_thread && hello.initializer) process::load_unwinder();  // whatever it does, its crash shall be told
  run_initializer(handshake, hello);

  WEFT_FAILURE_POINT("worker.handshake.before_ready");
  if (!is_copy) {
    const wire::Ready ready{own_identity(), static_cast<std::uint32_t>(::getpid())};
    const auto sent = process::send(handshake.control().get(), wire::encode(ready), {}, process::Wait::yes);
    if (!sent) handshake.end();  // the parent has gone
  }
  WEFT_FAILURE_POINT("worker.handshake.after_ready");
  // What cannot fail is done while the parent hears of it and sends the first task.
  if (!is_thread) process::load_unwinder();
  fiber::Reactor::current(std::move(reactors));

  const auto* const board = reinterpret_cast<const link::Board*>(greeting.board.data());
  WorkerLoop loop{{link::FramePort{own, parent_lane, &board->word, greeting.attendant_bell.get(),
                                   greeting.waiter_bell.get()},
                   std::move(handshake.control()), std::move(greeting.own_bell), board, box, hello.worker_id,
                   stop_log, std::move(output), &worker_store(), is_thread}};
  loop.run();
  // A thread alone comes here.
  loop.exchange().entrust(*kind.parents);
  return loop.exchange().returns();
}

}  // namespace

}  // namespace weft::work
