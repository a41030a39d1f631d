#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <mutex>
#include <weft/completion_queue.hpp>
#include <weft/error.hpp>

#include "base/unique_fd.hpp"
#include "process/limits.hpp"
#include "work/faults.hpp"

namespace weft {

/// What has settled, from any thread. The callbacks of calls hold it weakly: they may come after the queue's end.
class CompletionQueue::Inbox {
 public:
  Inbox() : bell_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (!bell_) work::throw_fault(process::out_of_descriptors("a completion queue needs an eventfd", errno));
  }

  [[nodiscard]] int descriptor() const noexcept { return bell_.get(); }

  void expect() {
    const std::lock_guard guard{mutex_};
    ++pending_;
  }
  void settled(std::function<void()> callback) {
    const std::lock_guard guard{mutex_};
    ready_.push_back(std::move(callback));
    if (ready_.size() == 1) ring();
  }
  /// The next callback; none if there is none.
  std::function<void()> take() {
    const std::lock_guard guard{mutex_};
    if (ready_.empty()) return {};
    std::function<void()> next = std::move(ready_.front());
    ready_.pop_front();
    --pending_;
    if (ready_.empty()) {
      eventfd_t count = 0;
      static_cast<void>(::eventfd_read(bell_.get(), &count));
    }
    return next;
  }
  [[nodiscard]] std::size_t ready() const {
    const std::lock_guard guard{mutex_};
    return ready_.size();
  }
  [[nodiscard]] std::size_t pending() const {
    const std::lock_guard guard{mutex_};
    return pending_;
  }

 private:
  void ring() const noexcept { static_cast<void>(::eventfd_write(bell_.get(), 1)); }

  base::UniqueFd bell_;
  mutable std::mutex mutex_;
  std::deque<std::function<void()>> ready_;
  std::size_t pending_ = 0;
};

CompletionQueue::CompletionQueue() : inbox_{std::make_shared<Inbox>()} {}
CompletionQueue::~CompletionQueue() = default;

int CompletionQueue::descriptor() const noexcept { return inbox_->descriptor(); }

std::size_t CompletionQueue::pending() const noexcept { return inbox_->pending(); }

void CompletionQueue::watch(detail::CallHandle& handle, std::function<void()> callback) {
  if (!handle.valid()) throw ArgumentError{"a completion queue was given an execution of no task"};
  inbox_->expect();
  handle.on_settled([inbox = std::weak_ptr{inbox_}, callback = std::move(callback)]() mutable {
    if (const auto open = inbox.lock()) open->settled(std::move(callback));
  });
}

std::size_t CompletionQueue::dispatch() {
  // As many as there are now: what the callbacks add is for the next time, so that the loop's other sources get their turn.
  const std::size_t count = inbox_->ready();
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto next = inbox_->take()) next();
  }
  return count;
}

}  // namespace weft
