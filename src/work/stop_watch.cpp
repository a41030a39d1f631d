#include "work/stop_watch.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <thread>
#include <vector>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "process/futex.hpp"
#include "process/signals.hpp"

namespace weft::work {

StopWatch::~StopWatch() {
  if (!thread_.joinable()) return;
  // Relaxed, both: nothing but the flag is read by it, and join() orders the rest.
  ending_.store(true, base::relaxed);
  // It may be about to sleep just now: until it has seen it.
  while (!ended_.load(base::relaxed)) {
    process::futex_wake_all(log_.head);
    std::this_thread::yield();
  }
  thread_.join();
}

std::stop_token StopWatch::token(std::uint64_t call, std::uint64_t deadline_ns) {
  std::stop_token token;
  {
    const std::lock_guard guard{mutex_};
    Watched& watched = watched_[call];
    watched.deadline_ns = deadline_ns;
    token = watched.source.get_token();
    if (std::erase(early_, call) != 0 || all_) watched.source.request_stop();
  }
  if (!thread_.joinable()) {
    const process::BlockedSignals blocked;
    try {
      thread_ = std::thread{[this] { run(); }};
    } catch (const std::system_error& error) {
      throw Exhausted{std::string{"no thread for a task's stop token: "} + error.what() +
                      "; raise RLIMIT_NPROC (ulimit -u)"};
    }
  } else if (deadline_ns != 0) {
    // The thread may have to wake earlier than it thinks, and may be about to sleep just now: until it has looked. Relaxed:
    // a number that changes; the deadline is under the lock.
    for (const std::uint32_t before = looks_.load(base::relaxed); looks_.load(base::relaxed) == before;) {
      process::futex_wake_all(log_.head);
      std::this_thread::yield();
    }
  }
  // Asked before the task asked for its token.
  static_cast<void>(look());
  return token;
}

void StopWatch::done(std::uint64_t call) {
  const std::lock_guard guard{mutex_};
  watched_.erase(call);
}

void StopWatch::stop_all() {
  std::vector<std::stop_source> due;
  {
    const std::lock_guard guard{mutex_};
    all_ = true;
    for (auto& [call, watched] : watched_) due.push_back(watched.source);
  }
  for (std::stop_source& source : due) source.request_stop();
}

std::uint64_t StopWatch::look() {
  std::vector<std::stop_source> due;
  std::uint64_t next = 0;
  {
    const std::lock_guard guard{mutex_};
    read_ = log_.read(read_, seen_, [&](std::uint64_t call) {
      if (const auto found = watched_.find(call); found != watched_.end()) {
        due.push_back(found->second.source);
        return;
      }
      early_.push_back(call);
      if (early_.size() > kEarlyMax) early_.pop_front();
    });
    const std::uint64_t now = watched_.empty() ? 0 : base::now_ns();
    for (auto& [call, watched] : watched_) {
      if (watched.deadline_ns == 0) continue;
      if (watched.deadline_ns <= now) {
        due.push_back(watched.source);
        watched.deadline_ns = 0;
      } else {
        next = next == 0 ? watched.deadline_ns : std::min(next, watched.deadline_ns);
      }
    }
  }
  // Outside the lock: a callback of the token may take what a task holds while it asks for another token.
  for (std::stop_source& source : due) source.request_stop();
  return next;
}

void StopWatch::run() noexcept {
  ::pthread_setname_np(::pthread_self(), "weft-stop");
  // Relaxed: a flag, which is looked at until it is seen.
  while (!ending_.load(base::relaxed)) {
    // Relaxed: look() reads it once more, with acquire; the kernel compares this one before it lets the thread sleep.
    const std::uint32_t head = log_.head.load(base::relaxed);
    const std::uint64_t next = look();
    // Relaxed: a number that changes; what it stands for is under the lock.
    looks_.fetch_add(1, base::relaxed);
    process::futex_wait(log_.head, head, next);
  }
  // Relaxed: join() comes after it.
  ended_.store(true, base::relaxed);
}

}  // namespace weft::work
