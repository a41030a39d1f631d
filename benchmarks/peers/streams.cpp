// Pipe, UNIX socket and TCP over the loopback. Who waits takes whatever is there and writes as much in one call, which
// is what a program that cares does; with one message in flight that is a read and a write each.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <system_error>
#include <vector>

#include "base/unique_fd.hpp"
#include "harness/peer.hpp"
#include "peers/pattern.hpp"
#include "peers/peers.hpp"

namespace weft::bench {

namespace {

using Bytes = std::array<std::byte, kPeerInFlight * sizeof(Message)>;

constexpr const char* kEcho = "peers.stream_echo";

[[noreturn]] void fail(const char* what) { throw std::system_error{errno, std::system_category(), what}; }

void write_all(int fd, const std::byte* from, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t sent = ::write(fd, from, bytes);
    if (sent < 0) fail("write");
    from += sent;
    bytes -= static_cast<std::size_t>(sent);
  }
}

void echo() {
  Bytes bytes;
  for (;;) {
    const ssize_t got = ::read(peer_fd(0), bytes.data(), bytes.size());
    if (got <= 0) return;
    write_all(peer_fd(1), bytes.data(), static_cast<std::size_t>(got));
  }
}

struct Ends {
  base::UniqueFd read;
  base::UniqueFd write;
  base::UniqueFd peer_read;
  base::UniqueFd peer_write;
};

Ends pipes() {
  int there[2];
  int back[2];
  if (::pipe2(there, O_CLOEXEC) != 0) fail("pipe");
  base::UniqueFd there_read{there[0]};
  base::UniqueFd there_write{there[1]};
  if (::pipe2(back, O_CLOEXEC) != 0) fail("pipe");
  return {base::UniqueFd{back[0]}, std::move(there_write), std::move(there_read), base::UniqueFd{back[1]}};
}

base::UniqueFd again(const base::UniqueFd& fd) {
  base::UniqueFd other{::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)};
  if (!other) fail("dup");
  return other;
}

Ends both_ways(base::UniqueFd mine, base::UniqueFd theirs) {
  base::UniqueFd mine_too = again(mine);
  base::UniqueFd theirs_too = again(theirs);
  return {std::move(mine), std::move(mine_too), std::move(theirs), std::move(theirs_too)};
}

Ends unix_sockets() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
  return both_ways(base::UniqueFd{ends[0]}, base::UniqueFd{ends[1]});
}

void send_at_once(int fd) {
  const int one = 1;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) fail("TCP_NODELAY");
}

Ends tcp_sockets() {
  base::UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (!listener || ::bind(listener.get(), any, length) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), any, &length) != 0) {
    fail("listening on the loopback");
  }
  base::UniqueFd mine{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!mine || ::connect(mine.get(), any, length) != 0) fail("connect");
  base::UniqueFd theirs{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!theirs) fail("accept");
  send_at_once(mine.get());
  send_at_once(theirs.get());
  return both_ways(std::move(mine), std::move(theirs));
}

template <Ends (*make)()>
class Stream {
 public:
  explicit Stream(const Run& run)
      : ends_{make()}, peer_{kEcho, {ends_.peer_read.get(), ends_.peer_write.get()}, run.peer_cpu()} {
    // Or this side would wait for ever for the answer of one that has died.
    ends_.peer_read.reset();
    ends_.peer_write.reset();
  }

  void ask(std::size_t count) { write_all(ends_.write.get(), bytes_.data(), count * sizeof(Message)); }

  std::size_t answers() {
    const ssize_t got = ::read(ends_.read.get(), answered_.data(), answered_.size());
    if (got <= 0) fail("read");
    partial_ += static_cast<std::size_t>(got);
    const std::size_t whole = partial_ / sizeof(Message);
    partial_ %= sizeof(Message);
    return whole;
  }

 private:
  Ends ends_;
  Peer peer_;
  Bytes bytes_{};
  Bytes answered_{};
  std::size_t partial_ = 0;  // bytes of a message that has not come whole
};

}  // namespace

void add_stream_peers(std::vector<Benchmark>& to) {
  add_peer(kEcho, echo);
  // baseline.pipe.round_trip and baseline.unix_socket.round_trip are among the core's figures.
  to.push_back({{pipelined_of("pipe", "pipe")}, link_pipelined<Stream<pipes>>});
  to.push_back({{pipelined_of("unix_socket", "UNIX socket")}, link_pipelined<Stream<unix_sockets>>});
  add_link_peer<Stream<tcp_sockets>>(to, "tcp", "TCP loopback");
}

}  // namespace weft::bench
