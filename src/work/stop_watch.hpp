#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

#include "link/stop_log.hpp"

namespace weft::work {

/// Tells the tasks of this worker that they shall stop: when the parent asks for it, and at their deadlines. It does so
/// from a thread of its own, since a task that computes lets nothing else run on the worker's; the thread is started
/// when a task asks for its token for the first time.
///
/// Owner: the worker loop. Threads: token() and done() the worker's; callbacks of the tokens run on the watch's.
class StopWatch {
 public:
  /// `log` lies in the parent's lane, `seen` in this process's.
  StopWatch(const link::StopLog& log, base::Atomic<std::uint64_t>& seen) noexcept : log_{log}, seen_{seen} {}

  /// Ends the thread.
  ~StopWatch();
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

  /// The token of the running task `call`, whose deadline is `deadline_ns` (0: none). Throws Exhausted where there is no
  /// thread to be had.
  std::stop_token token(std::uint64_t call, std::uint64_t deadline_ns);
  /// The task is done.
  void done(std::uint64_t call);
  /// Asks all to stop, those too that ask for their tokens later.
  void stop_all();

 private:
  struct Watched {
    std::stop_source source;
    std::uint64_t deadline_ns = 0;
  };
  void run() noexcept;
  /// Asks those to stop whose time has come. Returns the next deadline, 0 for none.
  std::uint64_t look();

  const link::StopLog& log_;
  base::Atomic<std::uint64_t>& seen_;
  std::mutex mutex_;
  std::map<std::uint64_t, Watched> watched_;
  /// Asked to stop before they asked for their tokens, which most never will: the last kEarlyMax of them.
  std::deque<std::uint64_t> early_;
  static constexpr std::size_t kEarlyMax = 256;
  bool all_ = false;
  std::thread thread_;
  base::Atomic<bool> ending_{false};
  base::Atomic<bool> ended_{false};
  std::uint32_t read_ = 0;                // entries of the log
  base::Atomic<std::uint32_t> looks_{0};  // of the thread
};

}  // namespace weft::work
