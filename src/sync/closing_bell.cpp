#include <weft/detail/local_channel.hpp>

namespace weft::detail {

void ClosingBell::on_close(std::function<void()> callback) {
  {
    const std::lock_guard lock{mutex_};
    if (!rung_) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void ClosingBell::ring() noexcept {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock{mutex_};
    rung_ = true;
    callbacks.swap(callbacks_);
  }
  for (const auto& callback : callbacks) callback();
}

}  // namespace weft::detail
