#include <weft/mutex.hpp>

#include "base/check.hpp"

namespace weft {

detail::Waited Mutex::wait(std::uint64_t deadline_ns) {
  std::unique_lock lock{inner_};
  return gate_.take(lock, 1, deadline_ns);
}

void Mutex::unlock() noexcept {
  const std::lock_guard lock{inner_};
  WEFT_CHECK(gate_.permits() == 0, "unlock of a weft::Mutex that nobody holds");
  gate_.give(1);
}

}  // namespace weft
