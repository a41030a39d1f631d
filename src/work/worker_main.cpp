#include "work/worker_main.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/failure_point.hpp"
#include "base/limits.hpp"
#include "base/unique_fd.hpp"
#include "link/board.hpp"
#include "link/exchange.hpp"
#include "memory/region.hpp"
#include "process/descriptors.hpp"
#include "process/module.hpp"
#include "process/parent_death.hpp"
#include "wire/control.hpp"
#include "wire/failure.hpp"
#include "work/exceptions.hpp"
#include "work/identity.hpp"
#include "work/initializer.hpp"
#include "work/named_tasks.hpp"
#include "work/output.hpp"
#include "work/worker_loop.hpp"

namespace weft::work {

namespace {

unsigned depth = 0;

constexpr int kStartFailed = 121;

/// What came with the parent's Hello: its lane, its board, and its two bells.
struct Greeting {
  wire::Hello hello;
  memory::PeerRegion lane;
  memory::PeerRegion board;
  base::UniqueFd attendant_bell;
  base::UniqueFd waiter_bell;
};

/// The socket until the handshake is over; failing tells the parent why and ends the process.
class Handshake {
 public:
  explicit Handshake(int control) : control_{control} {}

  [[noreturn]] void fail(const char* phase, const std::string& message, std::vector<std::byte> failure = {}) {
    const wire::StartError error{phase, message, std::move(failure)};
    static_cast<void>(process::send(control_.get(), wire::encode(error), {}, process::Wait::yes));
    std::fflush(nullptr);
    ::_exit(kStartFailed);
  }
  template <class T>
  T need(const char* phase, base::Result<T> result) {
    if (!result) fail(phase, result.fault().message);
    return *std::move(result);
  }

  Greeting receive();
  base::UniqueFd& control() noexcept { return control_; }

 private:
  base::UniqueFd control_;
};

Greeting Handshake::receive() {
  std::vector<std::byte> buffer(256 * 1024);
  auto received = process::receive(control_.get(), buffer, 8, process::Wait::yes);
  if (!received || received->state != process::Received::State::message)
    ::_exit(kStartFailed);  // nobody to tell
  auto message = wire::decode_control(std::span{buffer}.first(received->bytes));
  if (!message) fail("handshake", message.fault().message);
  auto* const hello = std::get_if<wire::Hello>(&*message);
  if (hello == nullptr) fail("handshake", "the first message was not a Hello");
  process::die_with_parent(static_cast<pid_t>(hello->parent_pid));
  auto compatible = wire::check_compatible(own_identity(), hello->identity, false);
  if (!compatible) fail("handshake", compatible.fault().message);
  auto& fds = received->descriptors;
  if (fds.size() != 4) fail("handshake", "expected four descriptors with the Hello");
  Greeting greeting;
  greeting.lane = need("handshake", memory::PeerRegion::map(std::move(fds[0]), hello->parent_lane_bytes));
  greeting.board = need("handshake", memory::PeerRegion::map(std::move(fds[1]), sizeof(link::Board)));
  greeting.attendant_bell = std::move(fds[2]);
  greeting.waiter_bell = std::move(fds[3]);
  greeting.hello = std::move(*hello);
  WEFT_FAILURE_POINT("worker.handshake.after_hello");
  return greeting;
}

void run_initializer(Handshake& handshake, const wire::Hello& hello) {
  if (!hello.initializer) return;
  const auto* const entry = find_task(hello.initializer->function, false);
  if (entry == nullptr) handshake.fail("initializer", describe_unknown_task(false));
  try {
    InitializerCall call{hello.worker_id};
    entry->invoke(call);
  } catch (...) {
    handshake.fail("initializer", "the initializer threw", wire::encode(describe(std::current_exception())));
  }
}

/// Signals of the terminal go to the parent, which decides; everything else is as a fresh program has it. They come
/// blocked, since one may be sent before this is reached; ignoring them drops what has come.
void set_signals() noexcept {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : kTerminalSignals) {
    ::signal(signal, SIG_IGN);
    sigaddset(&mask, signal);
  }
  ::sigprocmask(SIG_UNBLOCK, &mask, nullptr);
}

}  // namespace

unsigned nesting_depth() noexcept { return depth; }

void worker_main(int control) {
  set_signals();
  ::prctl(PR_SET_NAME,
          "weft-worker");  // else it would be called "exe", after the link that it was started by
  ::fcntl(control, F_SETFD, FD_CLOEXEC);
  Handshake handshake{control};
  Greeting greeting = handshake.receive();
  const wire::Hello& hello = greeting.hello;
  depth = hello.nesting_depth;
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
  const ring::LaneView parent =
      handshake.need("handshake", ring::open_lane(greeting.lane.data(), greeting.lane.bytes()));
  if (parent.black_box_bytes < sizeof(link::StopLog))
    handshake.fail("handshake", "the parent's lane has no stop log");
  const auto* const stop_log = reinterpret_cast<const link::StopLog*>(parent.black_box);
  auto* const box = process::make_black_box({own.black_box, static_cast<std::size_t>(own.black_box_bytes)});
  if (auto done = process::install_crash_handlers(box); !done)
    handshake.fail("crash handlers", done.fault().message);
  base::UniqueFd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!bell) handshake.fail("descriptors", base::Fault::system_call("eventfd").message);

  run_initializer(handshake, hello);

  const std::array<int, 2> descriptors{lane.fd(), bell.get()};
  WEFT_FAILURE_POINT("worker.handshake.before_ready");
  const wire::Ready ready{own_identity(), static_cast<std::uint32_t>(::getpid())};
  const auto sent =
      process::send(handshake.control().get(), wire::encode(ready), descriptors, process::Wait::yes);
  if (!sent) ::_exit(kStartFailed);  // the parent has gone
  WEFT_FAILURE_POINT("worker.handshake.after_ready");

  const auto* const board = reinterpret_cast<const link::Board*>(greeting.board.data());
  WorkerLoop loop{
      {link::FramePort{own, parent, &board->word, greeting.attendant_bell.get(), greeting.waiter_bell.get()},
       std::move(handshake.control()), std::move(bell), board, box, hello.worker_id, stop_log,
       std::move(output)}};
  loop.run();
}

}  // namespace weft::work
