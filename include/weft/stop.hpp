#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <weft/deadline.hpp>
#include <weft/export.hpp>

namespace weft {

/// A stop that is requested as soon as one of several others is, or a time has come; made by any_stop(), stop_after() and
/// stop_at(). What its token is given to (TaskOptions::stop, Execution::get(), select()) may outlive it.
///
/// Owner: the caller; moves. Letting go of it: nothing requests its stop any more. Threads: any. Callbacks of its token run on
/// the thread that requests the other stop; at the time, on one of weft's: they must not wait.
class WEFT_EXPORT AnyStop {
 public:
  AnyStop(std::span<const std::stop_token> others, std::uint64_t deadline_ns);
  AnyStop(AnyStop&&) noexcept;
  AnyStop& operator=(AnyStop&&) noexcept;
  ~AnyStop();

  /// Of no stop, if this was moved from.
  [[nodiscard]] std::stop_token get_token() const noexcept;
  // Implicit, so that it stands wherever a token does.
  operator std::stop_token() const noexcept { return get_token(); }  // NOLINT(google-explicit-constructor)

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Requested as soon as one of `others` is: std::stop_tokens, or what is one.
///
///   const weft::AnyStop stop = weft::any_stop(scope.stop_token(), closing.get_token());
template <std::convertible_to<std::stop_token>... Tokens>
[[nodiscard]] AnyStop any_stop(const Tokens&... others) {
  const std::array<std::stop_token, sizeof...(Tokens)> all{std::stop_token{others}...};
  return {all, detail::kNever};
}
/// Requested `timeout` from now, or as soon as one of `others` is. Throws Exhausted.
template <std::convertible_to<std::stop_token>... Tokens>
[[nodiscard]] AnyStop stop_after(std::chrono::nanoseconds timeout, const Tokens&... others) {
  const std::array<std::stop_token, sizeof...(Tokens)> all{std::stop_token{others}...};
  return {all, detail::deadline_after(timeout)};
}
/// The same at `deadline`.
template <std::convertible_to<std::stop_token>... Tokens>
[[nodiscard]] AnyStop stop_at(Deadline deadline, const Tokens&... others) {
  const std::array<std::stop_token, sizeof...(Tokens)> all{std::stop_token{others}...};
  return {all, detail::deadline_at(deadline)};
}

}  // namespace weft
