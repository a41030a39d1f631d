#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>
#include <weft/detail/gate.hpp>
#include <weft/detail/watchable.hpp>

namespace weft::detail {

/// One direction of a channel within a process, but for the values: who waits for room, and who for a value.
///
/// Threads: any. Values are put in and taken out under its lock: constructors of theirs must not use the channel.
class WEFT_EXPORT Pipe final : public Watchable {
 public:
  explicit Pipe(std::size_t capacity) noexcept : room_{capacity}, values_{0} {}

  /// Waits for room and calls `put`. What that throws is passed on, and nothing was sent.
  template <class Put>
  [[nodiscard]] Waited send(std::uint64_t deadline_ns, Put put) {
    std::unique_lock lock{mutex_};
    if (const Waited waited = wait_for_room(lock, deadline_ns); waited != Waited::came) return waited;
    try {
      put();
    } catch (...) {
      room_.give(1);
      throw;
    }
    announce();
    return Waited::came;
  }
  /// Waits for a value and calls `take`. What that throws is passed on, and the value is still there.
  template <class Take>
  [[nodiscard]] Waited receive(std::uint64_t deadline_ns, Take take) {
    std::unique_lock lock{mutex_};
    if (const Waited waited = wait_for_value(lock, deadline_ns); waited != Waited::came) return waited;
    try {
      take();
    } catch (...) {
      announce();
      throw;
    }
    room_.give(1);
    return Waited::came;
  }
  /// What was sent can still be received; after it, and for whoever wants to send, it is closed.
  void close() noexcept;
  [[nodiscard]] bool is_closed() noexcept;

  // Watchable: a value, or that none will come.
  [[nodiscard]] bool ready() override;
  [[nodiscard]] bool watch(const fiber::Waker& waker) override;
  void unwatch(const fiber::Waker& waker) noexcept override;

 private:
  [[nodiscard]] Waited wait_for_room(std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns);
  [[nodiscard]] Waited wait_for_value(std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns);
  [[nodiscard]] bool readable() const noexcept { return closed_ || values_.permits() != 0; }
  void announce() noexcept;
  void wake_watchers() noexcept;

  std::mutex mutex_;  // guards all of it, and the values
  Gate room_;         // free places
  Gate values_;       // values that nobody was given
  bool closed_ = false;
  std::vector<const fiber::Waker*> watchers_;
};

}  // namespace weft::detail
