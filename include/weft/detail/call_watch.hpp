#pragma once

#include <weft/detail/call_handle.hpp>
#include <weft/detail/watchable.hpp>
#include <weft/export.hpp>

namespace weft::detail {

/// A call that select() waits for beside others. Threads: that of its Execution.
class WEFT_EXPORT CallWatch final : public Watchable {
 public:
  explicit CallWatch(CallHandle& handle) noexcept : handle_{handle} {}
  [[nodiscard]] bool ready() override { return handle_.ready(); }
  [[nodiscard]] bool watch(const fiber::Waker& waker) override;
  void unwatch(const fiber::Waker& waker) noexcept override;

 private:
  CallHandle& handle_;
};

}  // namespace weft::detail
