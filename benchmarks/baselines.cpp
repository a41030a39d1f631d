// What a program has today to ask another process: 32 bytes there and 32 back, the next after the reply, as each
// facility's own manual shows it.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "base/unique_fd.hpp"
#include "benchmarks.hpp"
#include "harness/cpus.hpp"
#include "harness/peer.hpp"

namespace weft::bench {

namespace {

namespace interprocess = boost::interprocess;

using Message = std::array<std::byte, 32>;

[[noreturn]] void fail(const char* what) { throw std::system_error{errno, std::system_category(), what}; }

// False once the other end is closed.
bool read_all(int fd, std::byte* to, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t got = ::read(fd, to, bytes);
    if (got == 0) return false;
    if (got < 0) fail("read");
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

void write_all(int fd, const std::byte* from, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t sent = ::write(fd, from, bytes);
    if (sent < 0) fail("write");
    from += sent;
    bytes -= static_cast<std::size_t>(sent);
  }
}

void echo(int from, int to, std::size_t bytes) {
  std::vector<std::byte> message(bytes);
  while (read_all(from, message.data(), bytes)) write_all(to, message.data(), bytes);
}

// The other side of all sockets: is told first how long a message is.
constexpr const char* kSocketPeer = "baseline.unix_socket";

void socket_peer() {
  std::size_t bytes = 0;
  if (!read_all(peer_fd(0), reinterpret_cast<std::byte*>(&bytes), sizeof bytes)) return;
  echo(peer_fd(0), peer_fd(0), bytes);
}

// `measure` is given the round trip.
template <class Measure>
void with_socket(const Run& run, std::size_t bytes, Measure&& measure) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
  const base::UniqueFd mine{ends[0]};
  const base::UniqueFd theirs{ends[1]};
  std::vector<std::byte> message(bytes, std::byte{1});
  const Pinned pinned{run.cpu()};
  const Peer peer{kSocketPeer, {theirs.get()}, run.peer_cpu()};
  write_all(mine.get(), reinterpret_cast<const std::byte*>(&bytes), sizeof bytes);
  measure([&] {
    write_all(mine.get(), message.data(), bytes);
    read_all(mine.get(), message.data(), bytes);
  });
}

void add_socket(std::vector<Benchmark>& to, const char* name, std::size_t bytes, std::size_t count) {
  to.push_back({{{name, "ns"}},
                [=](Run& run) { with_socket(run, bytes, [&](auto&& once) { run.each(count, once); }); },
                true});
}

void pipe_peer() { echo(peer_fd(0), peer_fd(1), sizeof(Message)); }

void pipe_round_trips(Run& run) {
  int there[2];
  int back[2];
  if (::pipe2(there, O_CLOEXEC) != 0) fail("pipe");
  const base::UniqueFd there_read{there[0]};
  const base::UniqueFd there_write{there[1]};
  if (::pipe2(back, O_CLOEXEC) != 0) fail("pipe");
  const base::UniqueFd back_read{back[0]};
  const base::UniqueFd back_write{back[1]};
  Message message{};
  const Pinned pinned{run.cpu()};
  const Peer peer{"baseline.pipe", {there_read.get(), back_write.get()}, run.peer_cpu()};
  run.each(50'000, [&] {
    write_all(there_write.get(), message.data(), message.size());
    read_all(back_read.get(), message.data(), message.size());
  });
}

// Boost's queues have names. A peer is told that of its parent's, which goes as soon as both have opened them.
std::string queue_name(pid_t parent, const char* direction) {
  return "weft_bench." + std::to_string(parent) + "." + direction;
}

void send(interprocess::message_queue& queue, const Message& message) {
  queue.send(message.data(), message.size(), 0);
}

void receive(interprocess::message_queue& queue, Message& message) {
  interprocess::message_queue::size_type got = 0;
  unsigned priority = 0;
  queue.receive(message.data(), message.size(), got, priority);
}

void message_queue_peer() {
  interprocess::message_queue there{interprocess::open_only, queue_name(::getppid(), "there").c_str()};
  interprocess::message_queue back{interprocess::open_only, queue_name(::getppid(), "back").c_str()};
  Message message{};
  for (;;) {
    receive(there, message);
    send(back, message);
  }
}

class NamedQueue {
 public:
  explicit NamedQueue(const char* direction)
      : name_{queue_name(::getpid(), direction)},
        queue{interprocess::create_only, name_.c_str(), 256, sizeof(Message)} {}
  NamedQueue(const NamedQueue&) = delete;
  NamedQueue& operator=(const NamedQueue&) = delete;
  ~NamedQueue() { unlink(); }
  void unlink() { interprocess::message_queue::remove(name_.c_str()); }

 private:
  std::string name_;

 public:
  interprocess::message_queue queue;
};

void message_queue_round_trips(Run& run) {
  NamedQueue there{"there"};
  NamedQueue back{"back"};
  Message message{};
  const Pinned pinned{run.cpu()};
  const Peer peer{"baseline.message_queue", {}, run.peer_cpu()};
  const auto round_trip = [&] {
    send(there.queue, message);
    receive(back.queue, message);
  };
  round_trip();
  there.unlink();
  back.unlink();
  run.each(50'000, round_trip);
}

}  // namespace

void socket_round_trips(Run& run, std::size_t bytes, std::chrono::nanoseconds time) {
  with_socket(run, bytes, [&](auto&& once) { run.each_for(time, once); });
}

void add_baselines(std::vector<Benchmark>& to) {
  add_peer(kSocketPeer, socket_peer);
  add_peer("baseline.pipe", pipe_peer);
  add_peer("baseline.message_queue", message_queue_peer);
  add_socket(to, "baseline.unix_socket.round_trip", sizeof(Message), 50'000);
  add_socket(to, "baseline.unix_socket.64KiB.round_trip", 64U << 10, 4'000);
  add_socket(to, "baseline.unix_socket.1MiB.round_trip", 1U << 20, 300);
  add_socket(to, "baseline.unix_socket.16MiB.round_trip", 16U << 20, 30);
  to.push_back({{{"baseline.pipe.round_trip", "ns"}}, pipe_round_trips, true});
  to.push_back({{{"baseline.message_queue.round_trip", "ns"}}, message_queue_round_trips, true});
}

}  // namespace weft::bench
