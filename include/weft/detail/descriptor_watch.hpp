#pragma once

#include <weft/detail/watchable.hpp>
#include <weft/export.hpp>

namespace weft::detail {

/// A descriptor that select() waits for beside others. Throws ArgumentError where it is not open or nothing that can be
/// waited for, Exhausted where the thread lacks a further one to wait with. Threads: the one that waits.
class WEFT_EXPORT DescriptorWatch final : public Watchable {
 public:
  enum class For : bool { reading, writing };
  DescriptorWatch(int descriptor, For what) noexcept : descriptor_{descriptor}, what_{what} {}
  [[nodiscard]] bool ready() override;
  [[nodiscard]] bool watch(const fiber::Waker& waker) override;
  void unwatch(const fiber::Waker& waker) noexcept override;

  friend Watchable& watch_of(DescriptorWatch& watch) noexcept { return watch; }

 private:
  int descriptor_;
  int twin_ = -1;  ///< what the reactor watches in its place
  For what_;
};

}  // namespace weft::detail
