// What it takes to start a worker process, and what this side of it is made of. Runs on the attendant's thread.

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iterator>
#include <string>
#include <utility>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "process/black_box.hpp"
#include "process/descriptors.hpp"
#include "process/limits.hpp"
#include "process/module.hpp"
#include "wire/failure.hpp"
#include "work/identity.hpp"
#include "work/pool_core.hpp"
#include "work/worker_main.hpp"
#include "work/worker_start.hpp"

namespace weft::work {

namespace {

/// A parent has no crash to record; its lane has the stop log there.
constexpr std::size_t kParentBlackBoxBytes = sizeof(link::StopLog);

}  // namespace

/// Of no use from the start.
void discard(const process::Child& child) {
  process::kill(child, SIGKILL);
  static_cast<void>(process::reap_within(child, -1));
}

std::uint64_t PoolCore::worker_lane_bytes() noexcept {
  return ring::lane_bytes(base::kRingLines, process::kBlackBoxBytes);
}

/// What a process must have from its first moment on.
base::Result<PoolCore::Start> PoolCore::make_start() {
  Start start;
  start.id = ++last_peer_id_;  // only ever on the attendant's thread
  auto sockets = process::socket_pair();
  if (!sockets) return sockets.fault();
  start.sockets = *std::move(sockets);
  if (options_.output != Output::inherit) {
    auto output = WorkerOutput::make(options_.output, options_.output_prefix);
    if (!output) return output.fault();
    start.output = *std::move(output);
  }
  return start;
}

/// This side of a worker. Made while the process comes up, which takes longer.
base::Result<std::unique_ptr<Peer>> PoolCore::make_peer(Start start) {
  auto lane =
      memory::OwnedRegion::create(kParentLane, ring::lane_bytes(base::kRingLines, kParentBlackBoxBytes));
  if (!lane) return lane.fault();
  auto offered = memory::OwnedRegion::offer(options_.kind == WorkerKind::thread ? kThreadLane : kWorkerLane,
                                            worker_lane_bytes());
  if (!offered) return offered.fault();
  base::UniqueFd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!bell) return process::out_of_descriptors("a worker needs an eventfd", errno);
  const ring::LaneView view = ring::format_lane(lane->data(), base::kRingLines, kParentBlackBoxBytes,
                                                static_cast<std::uint32_t>(::getpid()));
  auto peer =
      std::make_unique<Peer>(start.id, process::Child{}, std::move(start.sockets.ours), *std::move(lane));
  peer->offered = *std::move(offered);
  peer->bell = std::move(bell);
  peer->output = std::move(start.output);
  peer->captures = options_.output == Output::capture;
  // The parent's lane is kept beside the view: Ready brings the other half.
  peer->peer_view = view;
  peer->stop_log = reinterpret_cast<link::StopLog*>(view.black_box);
  return peer;
}

/// How this pool's processes are started: `argument` says as what, `control` is their end of their control socket.
process::SpawnOptions PoolCore::spawn_options(const char* argument, int control,
                                              const WorkerOutput* output) const {
  process::SpawnOptions spawn;
  spawn.executable = options_.executable;
  spawn.arguments = {
      options_.executable == "/proc/self/exe" ? process::main_module().path : options_.executable, argument,
      std::to_string(kWorkerControl)};
  spawn.environment = options_.environment;
  spawn.working_directory = options_.working_directory;
  spawn.descriptors = {{control, kWorkerControl}};
  spawn.blocked_signals.assign(std::begin(kTerminalSignals), std::end(kTerminalSignals));
  if (output != nullptr) output->pass_to(spawn);
  for (const CoreOptions::Passed& each : options_.passed)
    spawn.descriptors.emplace_back(each.descriptor.get(), each.number);
  return spawn;
}

base::Result<std::unique_ptr<Peer>> PoolCore::spawn_worker() {
  auto start = make_start();
  if (!start) return start.fault();
  WEFT_FAILURE_POINT("parent.start.before_spawn");
  auto child =
      process::spawn(spawn_options(kWorkerArgument, start->sockets.theirs.get(), start->output.get()));
  if (!child) return child.fault();
  WEFT_FAILURE_POINT("parent.start.after_spawn");
  auto peer = make_peer(*std::move(start));
  base::Result<void> done;
  if (!peer) done = peer.fault();
  if (done) done = process::allow(child->pid, options_.allowance);
  if (done) done = greet(**peer);
  if (!done) {
    discard(*child);
    return done.fault();
  }
  WEFT_FAILURE_POINT("parent.start.after_hello");
  (*peer)->child = *std::move(child);
  if ((*peer)->output) (*peer)->output->begin((*peer)->id, (*peer)->child.pid);
  return peer;
}

wire::Hello PoolCore::hello() const {
  wire::Hello hello;
  hello.identity = own_identity();
  hello.parent_pid = static_cast<std::uint32_t>(::getpid());
  hello.nesting_depth = options_.nesting_depth + 1;
  hello.name = options_.what;
  hello.output = static_cast<std::uint8_t>(options_.output);
  hello.ticks_per_us = base::ticks_per_us();
  if (options_.initializer != 0) hello.initializer = wire::Initializer{options_.initializer, 0, 0, {}};
  return hello;
}

base::Result<void> PoolCore::greet(Peer& peer) {
  wire::Hello message = hello();
  message.worker_id = peer.id;
  message.parent_lane_bytes = peer.lane.bytes();
  message.worker_lane_bytes = worker_lane_bytes();
  message.ring_lines = base::kRingLines;
  message.black_box_bytes = process::kBlackBoxBytes;
  // Relaxed: advice, any value does no harm.
  message.spin_ns_max = board_->spin_ns_max.load(base::relaxed);
  if (options_.kind == WorkerKind::zygote) message.initializer.reset();  // has run where it was copied from
  const std::array<int, 6> descriptors{peer.lane.fd(),     board_region_.fd(), attendant_bell_.get(),
                                       waiter_bell_.get(), peer.bell.get(),    peer.offered.get()};
  // A copy has got its lane from what it was copied from.
  const std::size_t count = options_.kind == WorkerKind::zygote ? 5 : 6;
  auto sent = peer.exchange.write_control(message, std::span{descriptors}.first(count));
  // A program that ends at once closes its socket: then its end tells more than the failed write.
  if (!sent && !process::peer_gone(sent.fault())) return sent.fault();
  return {};
}

std::string describe_start_error(const wire::StartError& error) {
  std::string text = error.phase + ": " + error.message;
  if (error.failure.empty()) return text;
  if (auto report = wire::decode_failure(error.failure); report && !report->chain.empty())
    text += ": " + report->chain.front().type + ": " + report->chain.front().message;
  return text;
}

std::string PoolCore::describe_start_timeout() const {
  return "it was not ready after " + std::to_string(options_.start_timeout_ns / 1'000'000) +
         " ms (static initialisers, main before weft::init, or the initializer take so long); "
         "raise WorkerOptions::start_timeout";
}

}  // namespace weft::work
