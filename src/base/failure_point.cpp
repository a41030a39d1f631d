#include "base/failure_point.hpp"

#if defined(WEFT_FAILURE_POINTS)

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace weft::base {

void failure_point(const char* name) noexcept {
  static const char* const armed = std::getenv("WEFT_DIE_AT");
  if (armed == nullptr) return;
  const std::size_t length = std::strlen(name);
  if (std::strncmp(armed, name, length) != 0) return;
  static std::atomic<long> left{armed[length] == ':' ? std::atol(armed + length + 1) : 1};
  if (armed[length] != '\0' && armed[length] != ':') return;
  // Relaxed: a count, and nothing is read by it.
  if (left.fetch_sub(1, std::memory_order_relaxed) != 1) return;
  const char* const mark = std::getenv("WEFT_DIE_MARK");
  if (mark != nullptr && ::open(mark, O_CREAT | O_EXCL | O_CLOEXEC, 0600) < 0) return;
  ::kill(::getpid(), SIGKILL);
}

}  // namespace weft::base

#endif
