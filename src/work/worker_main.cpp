#include "work/worker_main.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
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
std::uint32_t parent = 0;

/// What came with the parent's Hello: its lane, its board, and its two bells.
struct Greeting {
  wire::Hello hello;
  memory::PeerRegion lane;
  memory::PeerRegion board;
  base::UniqueFd attendant_bell;
  base::UniqueFd waiter_bell;
};

Greeting receive_greeting(Handshake& handshake) {
  Greeting greeting;
  std::vector<base::UniqueFd> fds;
  greeting.hello = handshake.hello(fds, 4);
  greeting.lane = handshake.need(
      "handshake", memory::PeerRegion::map(std::move(fds[0]), greeting.hello.parent_lane_bytes));
  greeting.board =
      handshake.need("handshake", memory::PeerRegion::map(std::move(fds[1]), sizeof(link::Board)));
  greeting.attendant_bell = std::move(fds[2]);
  greeting.waiter_bell = std::move(fds[3]);
  WEFT_FAILURE_POINT("worker.handshake.after_hello");
  return greeting;
}

[[noreturn]] void serve(int control, base::Result<void> (*keep_record)(process::BlackBox*));

}  // namespace

unsigned nesting_depth() noexcept { return depth; }

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

std::uint32_t parent_pid() noexcept { return parent; }

void worker_main(int control) {
  begin_worker("weft-worker");
  ::fcntl(control, F_SETFD, FD_CLOEXEC);
  serve(control, [](process::BlackBox* box) { return process::install_crash_handlers(box); });
}

void copied_worker_main(int control) {
  ::prctl(PR_SET_NAME, "weft-worker");
  serve(control, [](process::BlackBox* box) {
    process::change_black_box(box);
    return base::Result<void>{};
  });
}

namespace {

[[noreturn]] void serve(int control, base::Result<void> (*keep_record)(process::BlackBox*)) {
  Handshake handshake{control};
  Greeting greeting = receive_greeting(handshake);
  const wire::Hello& hello = greeting.hello;
  set_nesting_depth(hello.nesting_depth);
  parent = hello.parent_pid;
  if (hello.output > static_cast<std::uint8_t>(Output::capture))
    handshake.fail("handshake", "the parent asked for a kind of output that there is not");
  TaskOutput output = handshake.need("output", TaskOutput::make(static_cast<Output>(hello.output)));

  auto lane = handshake.need("shared memory",
                             memory::OwnedRegion::create("weft-worker-lane", hello.worker_lane_bytes));
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
  if (auto done = keep_record(box); !done) handshake.fail("crash handlers", done.fault().message);
  base::UniqueFd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!bell) handshake.fail("descriptors", base::Fault::system_call("eventfd").message);

  run_initializer(handshake, hello);

  const std::array<int, 2> descriptors{lane.fd(), bell.get()};
  WEFT_FAILURE_POINT("worker.handshake.before_ready");
  const wire::Ready ready{own_identity(), static_cast<std::uint32_t>(::getpid())};
  const auto sent =
      process::send(handshake.control().get(), wire::encode(ready), descriptors, process::Wait::yes);
  if (!sent) ::_exit(Handshake::kStartFailed);  // the parent has gone
  WEFT_FAILURE_POINT("worker.handshake.after_ready");

  const auto* const board = reinterpret_cast<const link::Board*>(greeting.board.data());
  WorkerLoop loop{{link::FramePort{own, parent_lane, &board->word, greeting.attendant_bell.get(),
                                   greeting.waiter_bell.get()},
                   std::move(handshake.control()), std::move(bell), board, box, hello.worker_id, stop_log,
                   std::move(output), &worker_store()}};
  loop.run();
}

}  // namespace

}  // namespace weft::work
