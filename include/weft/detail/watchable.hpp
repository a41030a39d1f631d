#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <weft/detail/waited.hpp>
#include <weft/export.hpp>

namespace weft::fiber {
class Waker;
}  // namespace weft::fiber

namespace weft::detail {

/// Something that a fiber can wait for beside others: select() waits for the first of several.
class Watchable {
 public:
  /// True if it has come.
  [[nodiscard]] virtual bool ready() = 0;
  /// Wakes by `waker` once it comes, until unwatch(waker) returns: the same object, which stays where it is so long.
  /// False, and unwatch() is not called, if it has come already.
  [[nodiscard]] virtual bool watch(const fiber::Waker& waker) = 0;
  virtual void unwatch(const fiber::Waker& waker) noexcept = 0;
  /// When it comes of itself, by the steady clock, without using a waker.
  [[nodiscard]] virtual std::uint64_t due_ns() const noexcept { return kNever; }

 protected:
  ~Watchable() = default;
};

struct Selected {
  Waited waited;
  std::size_t index;  ///< of the first that has come, if one has
};

/// Waits until one of `all` has come, or until `deadline_ns`. Suspends the fiber.
WEFT_EXPORT Selected wait_for_any(std::span<Watchable* const> all, std::uint64_t deadline_ns);
/// The same, but no longer than until the deadline of the task that waits: late then.
WEFT_EXPORT Selected wait_in_task_for_any(std::span<Watchable* const> all, std::uint64_t deadline_ns);

}  // namespace weft::detail
