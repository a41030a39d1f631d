#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <weft/channel.hpp>
#include <weft/deadline.hpp>
#include <weft/detail/call_watch.hpp>
#include <weft/detail/descriptor_watch.hpp>
#include <weft/detail/stop_token_watch.hpp>
#include <weft/detail/timer_watch.hpp>
#include <weft/detail/watchable.hpp>
#include <weft/execution.hpp>

namespace weft {

namespace detail {

template <class... Each>
std::optional<std::size_t> select_until_ns(std::uint64_t deadline_ns, Each&... each) {
  static_assert(sizeof...(Each) != 0, "select() needs something to wait for");
  std::tuple<decltype(watch_of(each))...> watches{watch_of(each)...};
  const auto all = std::apply(
      [](auto&... watch) { return std::array<Watchable* const, sizeof...(Each)>{&watch...}; }, watches);
  const Selected selected = wait_in_task_for_any(all, deadline_ns);
  return came(selected.waited) ? std::optional{selected.index} : std::nullopt;
}

}  // namespace detail

/// For select(): `descriptor` can be read from (or written to) without waiting, is at its end, or in error. It stays the
/// caller's, who keeps it open so long: one that is closed while it is waited for may never come.
[[nodiscard]] inline detail::DescriptorWatch readable(int descriptor) noexcept {
  return {descriptor, detail::DescriptorWatch::For::reading};
}
[[nodiscard]] inline detail::DescriptorWatch writable(int descriptor) noexcept {
  return {descriptor, detail::DescriptorWatch::For::writing};
}

/// For select(): a timer, `timeout` from now. Kept in a variable it stands for the same moment over several calls.
[[nodiscard]] inline detail::TimerWatch after(std::chrono::nanoseconds timeout) noexcept {
  return detail::TimerWatch{detail::deadline_after(timeout)};
}
/// The same of the steady clock's `deadline`.
[[nodiscard]] inline detail::TimerWatch at(Deadline deadline) noexcept {
  return detail::TimerWatch{detail::deadline_at(deadline)};
}

/// Waits for the first of several: a Channel to have something to receive or to be closed, an Execution to have its
/// value or failure, `readable(descriptor)`, `writable(descriptor)`, a timer (`after(timeout)`, `at(deadline)`), a
/// std::stop_token to be asked to stop. Gives the position of the one among the arguments, from
/// 0; of the leftmost if several have come. Takes nothing from it: use try_receive() where others receive from the channel
/// too. Throws ArgumentError for a descriptor that is not open, or nothing that can be waited for, and Exhausted where
/// the thread has no descriptors to wait with: it needs two, and one more for each that is waited for. In a task with a deadline
/// it throws TimedOut at that (TaskScope::deadline()). Waiting suspends the fiber.
template <class... Each>
[[nodiscard]] std::size_t select(Each&&... each) {
  return *detail::select_until_ns(detail::kNever, each...);
}
/// The same for at most `timeout`; nullopt then.
template <class... Each>
[[nodiscard]] std::optional<std::size_t> select_for(std::chrono::nanoseconds timeout, Each&&... each) {
  return detail::select_until_ns(detail::deadline_after(timeout), each...);
}
template <class... Each>
[[nodiscard]] std::optional<std::size_t> select_until(Deadline deadline, Each&&... each) {
  return detail::select_until_ns(detail::deadline_at(deadline), each...);
}

}  // namespace weft
