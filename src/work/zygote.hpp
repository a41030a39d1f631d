#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "memory/region.hpp"
#include "process/spawn.hpp"
#include "work/attendant.hpp"
#include "work/output.hpp"
#include "work/peer.hpp"

namespace weft::work {

/// Shared memory of a zygote, for its parent to read after its death: whom it has just brought into the world. Written by
/// the zygote, and `pid` by the kernel while it makes the process, so that none is ever lost.
struct BirthRecord {
  std::atomic<std::uint64_t> worker_id;
  pid_t pid;  ///< 0 until there is one
};
static_assert(sizeof(BirthRecord) == 16 && offsetof(BirthRecord, pid) == 8);

/// The parent's view of the process that the workers of a pool are copied from.
///
/// Owner: the pool, and the attendant's handlers until the process has ended. Threads: under the pool's lock.
struct Zygote {
  enum class State : std::uint8_t {
    starting,  ///< has not run the initializer yet
    serving,   ///< makes workers
    ending,    ///< told to go
  };
  /// It makes one at a time, and when the first of them takes tasks the others may not be needed any more.
  static constexpr std::size_t kAskedMax = 2;

  process::Child child;
  base::UniqueFd control;
  std::shared_ptr<WorkerOutput> output;  ///< of its initializer; null with Output::inherit
  State state = State::starting;
  std::uint64_t restarts = 0;               ///< the pool's, when it was started: what it makes is as of then
  std::size_t wanted = 0;                   ///< workers that it has not been asked for yet
  std::deque<std::unique_ptr<Peer>> asked;  ///< this side of those that it has been asked for, in their order
  /// This side of a worker that it has not been asked for, and that worker's end of its control socket.
  struct Unborn {
    std::unique_ptr<Peer> peer;
    base::UniqueFd control;
  };
  std::optional<Unborn> next;  ///< made while nobody waits for it
  memory::PeerRegion births;   ///< a BirthRecord, while serving
  std::uint64_t control_watch = 0;
  std::uint64_t end_watch = 0;
  Attendant::Timer timer;  ///< of its start, or its next answer
  std::string start_error;
  std::exception_ptr start_exception;

  [[nodiscard]] bool takes_more() const noexcept {
    return state == State::serving && asked.size() < kAskedMax;
  }
};

}  // namespace weft::work
