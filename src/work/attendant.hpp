#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.hpp"

namespace weft::work {

/// The thread that minds what nobody is waiting for: it starts workers, notices their ends, keeps time limits, and reads
/// replies while every thread of the program is busy with something else. It sleeps otherwise.
///
/// Workers are started from here alone, since the kernel's signal of parent death is bound to the starting thread.
///
/// Owner: the process; made at the first use, never ended. Threads: any may call; handlers run on the attendant's own.
/// Signals: it blocks all of them, so that the program's handlers run on the program's threads.
class Attendant {
 public:
  using Handler = std::function<void()>;
  /// Names a timer, for cancel(); the default one names none.
  struct Timer {
    std::uint64_t deadline_ns = 0;
    std::uint64_t id = 0;
    explicit operator bool() const noexcept { return id != 0; }
    friend auto operator<=>(const Timer&, const Timer&) = default;
  };

  /// Throws Exhausted where there is no thread to be had, Error in a process that was forked off one that uses weft.
  static Attendant& get();
  /// A second one, with a thread of its own, which may block on this program's stdout: it reads what workers print.
  static Attendant& reader();
  /// True on an attendant's own thread.
  static bool is_current() noexcept;

  /// Calls `handler` whenever `fd` is readable (`edge`: once for each change). Returns an id for forget().
  std::uint64_t watch(int fd, bool edge, Handler handler);
  /// No call of the handler begins after this; one may still be running.
  void forget(std::uint64_t id, int fd);
  /// Calls `handler` soon, in order.
  void post(Handler handler);
  /// Calls `handler` once, at or after `deadline_ns` of CLOCK_MONOTONIC.
  Timer at(std::uint64_t deadline_ns, Handler handler);
  /// The handler is not called, unless it has been or is about to be; of no timer nothing happens. `timer` is none then.
  void cancel(Timer& timer);

  Attendant(const Attendant&) = delete;
  Attendant& operator=(const Attendant&) = delete;

 private:
  explicit Attendant(const char* name);
  void run() noexcept;
  void ring() noexcept;
  void run_posted();
  int next_timeout_ms();

  const char* const name_;
  base::UniqueFd epoll_;
  base::UniqueFd bell_;
  std::mutex mutex_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Handler>> handlers_;
  std::deque<Handler> posted_;
  std::map<Timer, Handler> timers_;
};

}  // namespace weft::work
