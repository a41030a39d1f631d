#include "process/descriptors.hpp"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "process/limits.hpp"

namespace weft::process {

namespace {

using base::Fault;
using base::Result;
using base::UniqueFd;

/// Room for one SCM_RIGHTS message, aligned as the kernel reads it.
union ControlBuffer {
  cmsghdr align;
  char bytes[CMSG_SPACE(kDescriptorsMax * sizeof(int))];
};

Fault socket_fault(const char* what, int error) {
  if (error == EMFILE || error == ENFILE) return out_of_descriptors(what, error);
  if (error == ETOOMANYREFS) {
    // The kernel counts descriptors that are under way against the sender's RLIMIT_NOFILE.
    Fault fault = out_of_descriptors(what, EMFILE);
    fault.error = error;
    fault.message += " (too many descriptors are under way to peers that have not received them)";
    return fault;
  }
  Fault fault = Fault::system_call(what, error);
  if (error == ENOMEM || error == ENOBUFS) {
    fault.kind = Fault::Kind::exhausted;
    fault.message += "; kernel memory for sockets: a memory cgroup (memory.max) or the machine is full";
  } else if (error == EMSGSIZE) {
    fault.message += " (longer than the socket's send buffer, net.core.wmem_default)";
  }
  return fault;
}

/// Takes every descriptor that came with the message, so that none is left behind whatever is decided about
/// it.
std::vector<UniqueFd> take_descriptors(msghdr& header) {
  std::vector<UniqueFd> taken;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t index = 0; index < count; ++index) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(control) + index * sizeof fd, sizeof fd);
      taken.emplace_back(fd);
    }
  }
  return taken;
}

}  // namespace

Result<SocketPair> socket_pair() {
  int fds[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    return socket_fault("socketpair", errno);
  return SocketPair{UniqueFd{fds[0]}, UniqueFd{fds[1]}};
}

Result<void> send(int socket, std::span<const std::byte> message, std::span<const int> descriptors,
                  Wait wait) {
  WEFT_CHECK(!message.empty(), "an empty message cannot be told from the end of the connection");
  WEFT_CHECK(descriptors.size() <= kDescriptorsMax, "too many descriptors for one message");
  iovec part{const_cast<std::byte*>(message.data()), message.size()};
  ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  const int flags = MSG_NOSIGNAL | (wait == Wait::no ? MSG_DONTWAIT : 0);
  while (::sendmsg(socket, &header, flags) < 0) {
    if (errno != EINTR) return socket_fault("sendmsg", errno);
  }
  return {};
}

bool would_block(const Fault& fault) noexcept { return fault.error == EAGAIN || fault.error == EWOULDBLOCK; }

bool peer_gone(const Fault& fault) noexcept { return fault.error == EPIPE || fault.error == ECONNRESET; }

Result<Received> receive(int socket, std::span<std::byte> buffer, std::size_t descriptors_max, Wait wait,
                         bool* lacking) {
  WEFT_CHECK(descriptors_max <= kDescriptorsMax, "too many descriptors for one message");
  iovec part{buffer.data(), buffer.size()};
  ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  // CMSG_LEN, not CMSG_SPACE: the padding would have room for one descriptor more than was allowed. Without
  // any room the kernel drops the descriptors and says MSG_CTRUNC.
  header.msg_controllen = descriptors_max == 0 ? 0 : CMSG_LEN(descriptors_max * sizeof(int));
  const int flags = MSG_CMSG_CLOEXEC | (wait == Wait::no ? MSG_DONTWAIT : 0);
  ssize_t count = 0;
  bool reset = false;
  while ((count = ::recvmsg(socket, &header, flags)) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Received{};
    // A peer that ended with messages unread resets the connection, which is told once, before what it had sent: that
    // can still be read, and then comes its end.
    if (errno == ECONNRESET && !std::exchange(reset, true)) continue;
    if (errno == ECONNRESET) return Received{Received::State::closed, 0, {}};
    return socket_fault("recvmsg", errno);
  }
  std::vector<UniqueFd> descriptors = take_descriptors(header);
  if ((header.msg_flags & MSG_CTRUNC) != 0) {
    const bool out = descriptors.size() < descriptors_max;
    if (out && lacking == nullptr) return out_of_descriptors("cannot receive a descriptor", EMFILE);
    if (out) *lacking = true;
    if (!out)
      return Fault::violation("a control message carries more than " + std::to_string(descriptors_max) +
                              " descriptors");
  }
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    return Fault::violation("a control message is longer than " + std::to_string(buffer.size()) + " bytes");
  }
  if (count == 0) return Received{Received::State::closed, 0, {}};
  return Received{Received::State::message, static_cast<std::size_t>(count), std::move(descriptors)};
}

}  // namespace weft::process
