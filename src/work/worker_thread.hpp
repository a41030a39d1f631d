#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/exchange.hpp"

namespace weft::work {

class PoolCore;

/// A worker that is a thread of this process: a WorkerLoop over lanes, bells and a control socket as in any other process.
///
/// Owner: the Peer, and a pool's destructor that waits for it. Threads: as a Peer, but for join_until(). It cannot be
/// killed: told to end (its socket is closed) it does so once the tasks that it has begun return. Destroying it joins
/// it, which waits for no task, since that is done only after end_fd() has told of the end.
class WorkerThread {
 public:
  /// `control` is its end of the socket, `exchange` the parent's side of the link, `pool` and `id` whose worker it is.
  /// Faults: exhausted.
  static base::Result<std::shared_ptr<WorkerThread>> start(base::UniqueFd control,
                                                           const link::Exchange& exchange,
                                                           const PoolCore& pool, std::uint64_t id);
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread();

  /// Readable once it has ended, all that is thread_local in it included.
  [[nodiscard]] int end_fd() const noexcept { return end_.get(); }
  /// Blocks the thread until it has ended, `deadline_ns` at the latest. From any thread.
  void join_until(std::uint64_t deadline_ns) noexcept;
  /// After the end: what `exchange` has lent it stays for as long as somebody reads it.
  void entrust(link::Exchange& exchange);

  /// Which worker of `pool` the calling thread is; 0 if none.
  [[nodiscard]] static std::uint64_t own_id(const PoolCore& pool) noexcept;

 private:
  explicit WorkerThread(base::UniqueFd end) : end_{std::move(end)} {}
  void run(base::UniqueFd control) noexcept;
  void join() noexcept;

  base::UniqueFd end_;
  const PoolCore* pool_ = nullptr;
  std::uint64_t id_ = 0;
  std::shared_ptr<link::ReturnBox> parents_;
  std::shared_ptr<link::ReturnBox> own_;  ///< written by the thread, read after its end
  std::mutex joining_;
  std::thread thread_;
};

}  // namespace weft::work
