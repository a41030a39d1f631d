#include <poll.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <weft/detail/descriptor_watch.hpp>
#include <weft/error.hpp>

#include "fiber/reactor.hpp"

namespace weft::detail {

namespace {

[[noreturn]] void refuse(int descriptor, const std::string& why) {
  throw ArgumentError{"descriptor " + std::to_string(descriptor) + " cannot be waited for: " + why};
}

}  // namespace

bool DescriptorWatch::ready() {
  pollfd state{descriptor_, static_cast<short>(what_ == For::reading ? POLLIN : POLLOUT), 0};
  const int came = descriptor_ < 0 ? 0 : ::poll(&state, 1, 0);
  if (descriptor_ < 0 || (came > 0 && (state.revents & POLLNVAL) != 0)) refuse(descriptor_, "it is not open");
  return came > 0;  // an error or the other side's end too: reading or writing will not wait
}

bool DescriptorWatch::watch(const fiber::Waker& waker) {
  twin_ = fiber::Reactor::current().watch_fd(descriptor_, what_ == For::writing, waker);
  if (twin_ >= 0) return true;
  const int error = errno;
  if (error == EPERM) return false;  // what is always ready, a regular file
  if (error == EMFILE || error == ENFILE || error == ENOSPC || error == ENOMEM) {
    throw Exhausted{std::string{"a descriptor cannot be waited for: "} + std::strerror(error) +
                    (error == EMFILE ? ": raise RLIMIT_NOFILE (ulimit -n)" : "")};
  }
  refuse(descriptor_, std::strerror(error));
}

void DescriptorWatch::unwatch(const fiber::Waker&) noexcept {
  fiber::Reactor::current().forget_fd(twin_);
  twin_ = -1;
}

}  // namespace weft::detail
