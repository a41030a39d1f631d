#pragma once

#include <optional>
#include <stop_token>
#include <utility>
#include <weft/detail/watchable.hpp>
#include <weft/export.hpp>

namespace weft::detail {

/// A stop token that is waited for beside others. Copied only before it is watched. Threads: the one that waits.
class WEFT_EXPORT StopTokenWatch final : public Watchable {
 public:
  explicit StopTokenWatch(std::stop_token token) noexcept : token_{std::move(token)} {}
  StopTokenWatch(const StopTokenWatch& other) noexcept : token_{other.token_} {}
  StopTokenWatch& operator=(const StopTokenWatch&) = delete;
  ~StopTokenWatch() = default;
  [[nodiscard]] bool ready() override { return token_.stop_requested(); }
  [[nodiscard]] bool watch(const fiber::Waker& waker) override;
  void unwatch(const fiber::Waker& waker) noexcept override;

 private:
  struct Wake {
    const fiber::Waker* waker;
    void operator()() const noexcept;
  };
  std::stop_token token_;
  std::optional<std::stop_callback<Wake>> callback_;
};

/// For select(). Here, since a std::stop_token's own namespace is the standard's.
inline StopTokenWatch watch_of(const std::stop_token& token) noexcept { return StopTokenWatch{token}; }

}  // namespace weft::detail
