#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <weft/detail/call_handle.hpp>
#include <weft/execution.hpp>
#include <weft/export.hpp>

namespace weft {

/// Executions in an event loop of any kind (epoll, poll, libuv, GLib, Qt): a descriptor that becomes readable when some of
/// them have settled, and dispatch(), which then runs their callbacks on the loop's thread.
///
///   weft::CompletionQueue done;
///   done.add(pool.submit<checksum>(path), [](weft::Execution<std::uint64_t>& sum) { print(sum.get()); });
///   // the loop: when done.descriptor() is readable, done.dispatch()
///
/// Owner: the program. Callbacks that have not run when it goes are dropped, the tasks go on. Threads: add() from any, also
/// from a callback; the rest from one at a time. Blocks: never, and never suspends.
class WEFT_EXPORT CompletionQueue {
 public:
  /// Throws Exhausted.
  CompletionQueue();
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;
  ~CompletionQueue();

  /// Readable (level) while there is something for dispatch() to do. To be watched, and neither read nor closed.
  [[nodiscard]] int descriptor() const noexcept;

  /// Keeps `execution` until it has settled and dispatch() has called `callback` with it, whose get() then does not wait.
  /// Throws ArgumentError for one of no task.
  template <class R, class Callback>
  void add(Execution<R> execution, Callback callback) {
    struct Item {
      Execution<R> execution;
      Callback callback;
    };
    auto item = std::make_shared<Item>(Item{std::move(execution), std::move(callback)});
    watch(detail::HandleOf::get(item->execution), [item] { item->callback(item->execution); });
  }

  /// Runs the callbacks of what has settled, in that order; how many. What one throws is passed on, and the others come the
  /// next time.
  std::size_t dispatch();
  /// How many have been added and not dispatched.
  [[nodiscard]] std::size_t pending() const noexcept;

 private:
  class Inbox;
  void watch(detail::CallHandle& handle, std::function<void()> callback);

  std::shared_ptr<Inbox> inbox_;
};

}  // namespace weft
