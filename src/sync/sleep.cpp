#include <weft/sleep.hpp>

#include "fiber/reactor.hpp"

namespace weft::detail {

Waited sleep_until(std::uint64_t deadline_ns) noexcept {
  fiber::Reactor* const reactor = fiber::Reactor::try_current();
  if (reactor == nullptr) return Waited::exhausted;
  reactor->sleep_until(deadline_ns);
  return Waited::timed_out;
}

}  // namespace weft::detail
