// WorkerKind::thread: workers that are threads of this process, and what is different with them. src/README.md says why.

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "ring/take_back.hpp"
#include "work/pool_core.hpp"
#include "work/worker_start.hpp"
#include "work/worker_thread.hpp"

namespace weft::work {

// Of the peer.

Peer::~Peer() {
  if (thread) thread->entrust(exchange);
}

void Peer::kill() noexcept {
  if (!thread) return process::kill(child, SIGKILL);
  ::shutdown(exchange.control(), SHUT_RDWR);
}

std::optional<process::ExitStatus> Peer::reap() {
  if (thread) {
    process::ExitStatus returned;
    returned.known = true;
    return returned;
  }
  auto status = process::reap(child);
  return status ? *status : process::ExitStatus{};
}

// Of the pool.

base::Result<std::unique_ptr<Peer>> PoolCore::spawn_thread() {
  auto start = make_start();
  if (!start) return start.fault();
  base::UniqueFd control = std::move(start->sockets.theirs);
  auto peer = make_peer(*std::move(start));
  if (!peer) return peer.fault();
  if (auto greeted = greet(**peer); !greeted) return greeted.fault();
  auto thread = WorkerThread::start(std::move(control), (*peer)->exchange, *this, (*peer)->id);
  if (!thread) return thread.fault();
  (*peer)->thread = *std::move(thread);
  (*peer)->child.pid = ::getpid();
  return peer;
}

/// `peer` is a thread that is told to end: what it has not begun will not run, what it has is asked to stop. True for the
/// latter.
bool PoolCore::leave_running(Peer& peer, Call& call) {
  if (ring::try_take_back(peer.port.out, call.position, *peer.port.peer) == ring::TakeBack::taken)
    return false;
  ask_to_stop(call);
  return true;
}

std::vector<std::shared_ptr<WorkerThread>> PoolCore::idle_threads() const {
  std::vector<std::shared_ptr<WorkerThread>> idle;
  for (const auto& peer : peers_) {
    if (peer->thread && !peer->killed && peer->state != Peer::State::starting && peer->sent.empty())
      idle.push_back(peer->thread);
  }
  return idle;
}

/// The calling thread, which is about to sleep until something of this pool settles, is itself one of its workers: so all
/// the tasks that it has begun wait. It takes one more, whatever its window, since theirs may be among those that wait for a
/// worker.
bool PoolCore::take_one_more() {
  if (queue_.empty()) return false;
  Peer* const own = find_peer(WorkerThread::own_id(*this));
  if (own == nullptr || own->state == Peer::State::starting || own->leased || own->killed) return false;
  Call* const call = queue_.take();
  return call != nullptr && resend(*own, *call);
}

}  // namespace weft::work
