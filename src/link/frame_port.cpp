#include "link/frame_port.hpp"

#include <unistd.h>

#include <cerrno>

namespace weft::link {

void FramePort::ring(doorbell::Word word) noexcept {
  if (!ringer_.take(word)) return;
  const std::uint64_t one = 1;
  while (::write(bells_[word.bell()], &one, sizeof one) < 0 && errno == EINTR) {
  }
}

}  // namespace weft::link
