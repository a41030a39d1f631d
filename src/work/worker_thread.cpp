#include "work/worker_thread.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "base/clock.hpp"
#include "process/limits.hpp"
#include "process/signals.hpp"
#include "work/worker_main.hpp"

namespace weft::work {

namespace {

/// Tells of the thread's end when everything else that is thread_local, the fibers' scheduler too, has been destroyed: it
/// is the first that is made.
struct LastWord {
  LastWord() = default;
  LastWord(const LastWord&) = delete;
  LastWord& operator=(const LastWord&) = delete;
  ~LastWord() {
    const std::uint64_t one = 1;
    while (end >= 0 && ::write(end, &one, sizeof one) < 0 && errno == EINTR) {
    }
  }
  int end = -1;
};
thread_local LastWord last_word;

struct Self {
  const PoolCore* pool = nullptr;
  std::uint64_t id = 0;
};
thread_local Self self;

}  // namespace

std::uint64_t WorkerThread::own_id(const PoolCore& pool) noexcept { return self.pool == &pool ? self.id : 0; }

base::Result<std::shared_ptr<WorkerThread>> WorkerThread::start(base::UniqueFd control,
                                                                const link::Exchange& exchange,
                                                                const PoolCore& pool, std::uint64_t id) {
  base::UniqueFd end{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!end) return process::out_of_descriptors("a worker thread needs an eventfd", errno);
  std::shared_ptr<WorkerThread> worker{new WorkerThread{std::move(end)}};
  worker->pool_ = &pool;
  worker->id_ = id;
  worker->parents_ = exchange.returns();
  const process::BlockedSignals blocked;
  try {
    worker->thread_ = std::thread{
        [that = worker.get()](base::UniqueFd socket) { that->run(std::move(socket)); }, std::move(control)};
  } catch (const std::system_error& error) {
    return process::out_of_processes("cannot start a worker thread", error.code().value());
  }
  return worker;
}

WorkerThread::~WorkerThread() { join(); }

void WorkerThread::join() noexcept {
  const std::lock_guard guard{joining_};
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::join_until(std::uint64_t deadline_ns) noexcept {
  pollfd ended{end_.get(), POLLIN, 0};
  int came = -1;
  do {
    const std::uint64_t now = base::now_ns();
    const std::uint64_t left_ms = now < deadline_ns ? (deadline_ns - now) / 1'000'000 : 0;
    came = ::poll(&ended, 1, static_cast<int>(left_ms));
  } while (came < 0 && errno == EINTR);
  if (came > 0) join();
}

void WorkerThread::run(base::UniqueFd control) noexcept {
  last_word.end = end_.get();
  self = {pool_, id_};
  ::pthread_setname_np(::pthread_self(), "weft-worker");
  own_ = serve_as_thread(control.release(), *parents_);
}

void WorkerThread::entrust(link::Exchange& exchange) {
  // It has told of its end, so this waits for nothing; what it wrote is seen by whoever joined it.
  join();
  if (own_) exchange.entrust(*own_);
}

}  // namespace weft::work
