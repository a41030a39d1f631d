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
  const Selected selected = wait_for_any(all, deadline_ns);
  return came(selected.waited) ? std::optional{selected.index} : std::nullopt;
}

}  // namespace detail

/// Waits for the first of several: a Channel to have something to receive or to be closed, an Execution to have its
/// value or failure. Gives the position of the one among the arguments, from 0; of the leftmost if several have come.
/// Takes nothing from it: use try_receive() where others receive from the channel too. Throws Exhausted where the
/// thread has no descriptors to wait with. Waiting suspends the fiber.
template <class... Each>
[[nodiscard]] std::size_t select(Each&... each) {
  return *detail::select_until_ns(detail::kNever, each...);
}
/// The same for at most `timeout`; nullopt then.
template <class... Each>
[[nodiscard]] std::optional<std::size_t> select_for(std::chrono::nanoseconds timeout, Each&... each) {
  return detail::select_until_ns(detail::deadline_after(timeout), each...);
}
template <class... Each>
[[nodiscard]] std::optional<std::size_t> select_until(Deadline deadline, Each&... each) {
  return detail::select_until_ns(detail::deadline_at(deadline), each...);
}

}  // namespace weft
