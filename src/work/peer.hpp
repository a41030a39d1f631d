#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "link/exchange.hpp"
#include "link/frame_port.hpp"
#include "link/stop_log.hpp"
#include "memory/region.hpp"
#include "process/spawn.hpp"
#include "work/attendant.hpp"
#include "work/call.hpp"
#include "work/output.hpp"
#include "work/worker_thread.hpp"

namespace weft::work {

class Guest;

/// The parent's view of one worker, a process or a thread: its frames, its memory, and the calls that are with it.
///
/// Owner: the pool. Threads: under the pool's lock.
class Peer {
 public:
  enum class State : std::uint8_t {
    starting,  ///< spawned, has not said Ready
    serving,   ///< takes tasks
    ending,    ///< told to go, killed, or found lying: gets nothing more
  };

  Peer(std::uint64_t id_, process::Child child_, base::UniqueFd control, memory::OwnedRegion lane_)
      : id{id_}, child{std::move(child_)}, exchange{std::move(control)}, lane{std::move(lane_)} {}

  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// Ends it at once; a thread, once the tasks that it has begun return.
  void kill() noexcept;
  /// Readable once it has ended.
  [[nodiscard]] int end_fd() const noexcept { return thread ? thread->end_fd() : child.pidfd.get(); }
  /// How it ended; nullopt if it has not.
  [[nodiscard]] std::optional<process::ExitStatus> reap();

  /// Gets no more for now: a window of none, which adapt_window() leaves as it is.
  [[nodiscard]] bool is_clogged() const noexcept { return window == 0 && !leased; }

  /// A copy gets tasks before it has started altogether: its lane tells when it has begun one, or has slept.
  [[nodiscard]] bool has_started() const noexcept {
    if (!is_copy) return state != State::starting;
    // Relaxed: exact where it has ended; before that somebody looks again.
    return port.in.position() != 0 || port.peer->begun.load(base::relaxed) != 0 ||
           port.peer->parked.load(base::relaxed) != 0;
  }

  /// Frames in its ring: what was taken back lies there too, until it has passed that by.
  [[nodiscard]] std::size_t in_hand() const noexcept { return sent.size() + returns_owed; }
  [[nodiscard]] bool has_room() const noexcept { return in_hand() < window; }

  /// With so many frames in hand it has about as much to do as it takes to wake another.
  [[nodiscard]] std::size_t worth_waking() const noexcept {
    return window * base::kWorthWakingNs / window_ns;
  }

  /// How many frames it should hold now, `ns` of work by what its tasks have cost lately: short ones travel in numbers, so
  /// that it never waits for the next; long ones alone, so that they can go to whoever is free first.
  void adapt_window(std::uint64_t ns) noexcept {
    // Relaxed: advice, any value does no harm.
    const std::uint64_t ticks = port.peer->task_ticks.load(base::relaxed);
    if (ticks == 0 || window == 0) return;
    window_ns = ns;
    const std::uint64_t fitting = window_ns * base::ticks_per_us() / 1000 / ticks;
    const std::uint64_t wanted = std::clamp<std::uint64_t>(fitting, window_min, base::kWindowMax);
    // Doubling at most: one cheap task does not make the next five hundred cheap.
    window = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, std::uint64_t{window} * 2));
  }

  link::FramePort port;  ///< while serving
  CallList sent;         ///< calls in its ring or running
  std::uint32_t window = 1;
  std::uint64_t window_ns = base::kWindowNs;  ///< so much work is that
  std::uint32_t window_min = 1;
  std::uint32_t returns_owed =
      0;  ///< frames that were taken back in time and that it has not answered `returned` yet
  bool listed_idle = false;               ///< stands in the pool's list of idle workers
  std::uint64_t late_serial = 0;          ///< Terms::serial of the task that went beyond its run_limit
  std::uint64_t tasks_left = UINT64_MAX;  ///< until it is recycled
  std::uint64_t old_at_ns = UINT64_MAX;   ///< so is it then
  std::uint64_t tended_position =
      0;  ///< up to where its answers had been read at the last look for idle workers
  std::uint64_t idle_since_ns = 0;     ///< the last look that found it busy
  std::uint64_t checked_position = 0;  ///< up to where its answers had been read at the last check
  std::uint64_t cpu_time_ns = 0;       ///< how long it had run at CoreUse's last look
  CallList waiting;                    ///< calls for this worker alone, for which its ring had no room yet
  bool is_copy = false;                ///< of a zygote
  bool leased = false;        ///< gets what is meant for it alone: a window of none, and it counts as listed
  bool retire_later = false;  ///< when the lease is over
  bool outdated = false;      ///< restart() has yet to replace it
  bool captures = false;      ///< what its tasks print is kept with them
  std::uint32_t quiet_checks = 0;  ///< so often in a row, a millisecond apart, nothing had come of it
  bool look_due = false;           ///< frames went out without a look whether the worker sleeps
  State state = State::starting;

  std::uint64_t id;
  process::Child child;                  ///< of a thread: the pid alone, this process's own
  std::shared_ptr<WorkerThread> thread;  ///< null for a process
  link::Exchange exchange;
  memory::OwnedRegion lane;      ///< written here
  memory::PeerRegion peer_lane;  ///< written by the worker
  base::UniqueFd offered;        ///< what becomes that, until the worker says that it has taken it
  ring::LaneView peer_view;
  base::UniqueFd bell;  ///< wakes the worker
  link::StopLog* stop_log = nullptr;
  std::shared_ptr<Guest> guest;          ///< once it has asked for a shared object
  std::vector<std::uint64_t> stops;      ///< calls that shall stop and for which the log had no room yet
  std::shared_ptr<WorkerOutput> output;  ///< null with Output::inherit
  std::uint64_t control_watch = 0;
  std::uint64_t end_watch = 0;
  Attendant::Timer timer;     ///< of the time it may take to start, or to end once it has closed its socket
  bool killed = false;        ///< by kill() or destruction
  std::string violation;      ///< what it did against the protocol, or could not be taken from it
  bool is_exhausted = false;  ///< the latter: this process has run out of something
  std::string start_error;    ///< what it said instead of Ready
  std::exception_ptr start_exception;  ///< the same where it is more than StartFailed
  std::string last_words;              ///< why it was asked to go
};

}  // namespace weft::work
