#include "process/forked.hpp"

#include <pthread.h>

#include "base/check.hpp"

namespace weft::process {

namespace detail {
bool is_forked = false;
}

void watch_forks() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { detail::is_forked = true; });
  WEFT_CHECK(registered == 0, "pthread_atfork has no memory");
}

}  // namespace weft::process
