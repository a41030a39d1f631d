#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include <weft/observer.hpp>

#include "process/spawn.hpp"
#include "work/call.hpp"

namespace weft::work {

class Peer;

/// What a pool's observers are to be told: noted under the pool's lock, told after it, in order.
///
/// Owner: the pool, and whoever is just telling. Threads: any.
class Observation {
 public:
  enum class What : std::uint8_t {
    worker_started,
    worker_ready,
    worker_ended,
    task_submitted,
    task_begun,
    task_settled,
  };

  /// `owner` is what the pool is called.
  Observation(std::vector<std::shared_ptr<Observer>> observers, std::string owner);

  /// True if nobody is about to tell: the caller does, by tell(), when it has left the pool's lock. Of a call that
  /// settles: before its terms go.
  [[nodiscard]] bool note(What what, const Peer& peer, std::string reason = {});
  [[nodiscard]] bool note(What what, const Call& call, bool is_thread);
  /// Under no lock. Another thread that comes meanwhile leaves it to this one.
  void tell() noexcept;
  /// Returns once all that was noted before has been told, and lets go of the observers: nothing more will be. Blocks the
  /// thread for as long as they take.
  void finish() noexcept;

  /// A number for a task that has none yet.
  static std::uint64_t next_task() noexcept;
  /// This thread's id for people.
  static std::int64_t this_thread() noexcept;

 private:
  struct Event {
    What what;
    bool is_thread = false;
    bool is_named = false;
    Ending ending = Ending::value;
    std::uint64_t worker = 0;
    std::int64_t pid = 0;
    std::uint64_t at_ns = 0;
    std::uint64_t task = 0;
    std::uint64_t function = 0;
    std::int64_t thread = 0;
    TaskTimes times = {};
    std::string reason = {};
    std::exception_ptr failure = {};      ///< Ending::exception
    std::vector<std::byte> payload = {};  ///< Ending::failure: what the worker said of it
  };
  bool push(Event event);
  void tell(const Event& event);

  const std::string owner_;
  const std::uint64_t pool_;
  std::mutex mutex_;  // guards all below, but `observers_` for whoever is telling
  std::vector<std::shared_ptr<Observer>> observers_;
  std::condition_variable told_;
  std::vector<Event> events_;
  bool telling_ = false;
};

/// The worker of a call has died, or is killed, under it: of its times is known what could be seen from here.
void note_lost(Call& call) noexcept;
/// For worker_ended().
std::string why_ended(const Peer& peer, const process::ExitStatus& status);

/// The observers of everything in this process, by its environment (WEFT_TRACE). Threads: any.
std::vector<std::shared_ptr<Observer>> observers_of_all();

}  // namespace weft::work
