#pragma once

#include <cstdint>
#include <weft/detail/watchable.hpp>
#include <weft/export.hpp>

namespace weft::detail {

/// A time that select() waits for beside others. Threads: any, one at a time.
class WEFT_EXPORT TimerWatch final : public Watchable {
 public:
  explicit TimerWatch(std::uint64_t due_ns) noexcept : due_ns_{due_ns} {}
  [[nodiscard]] bool ready() override;
  [[nodiscard]] bool watch(const fiber::Waker& waker) override;
  void unwatch(const fiber::Waker& waker) noexcept override;
  [[nodiscard]] std::uint64_t due_ns() const noexcept override { return due_ns_; }

  friend Watchable& watch_of(TimerWatch& watch) noexcept { return watch; }

 private:
  std::uint64_t due_ns_;
};

}  // namespace weft::detail
