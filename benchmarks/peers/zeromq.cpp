// ZeroMQ: a PAIR of ipc sockets, an I/O thread on each side.

#include <unistd.h>
#include <zmq.h>

#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>

#include "harness/peer.hpp"
#include "peers/adapter.hpp"

namespace weft::bench {

namespace {

constexpr const char* kEcho = "peers.zeromq_echo";

// ipc:// with an @ lies in the abstract namespace: no file is left behind.
std::string address(pid_t parent) { return "ipc://@weft_bench." + std::to_string(parent); }

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error{std::string{what} + ": " + zmq_strerror(zmq_errno())};
}

class Socket {
 public:
  Socket() : context_{zmq_ctx_new()}, socket_{zmq_socket(context_, ZMQ_PAIR)} {
    const int unlimited = 0;
    const int at_once = 0;
    zmq_setsockopt(socket_, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
    zmq_setsockopt(socket_, ZMQ_RCVHWM, &unlimited, sizeof unlimited);
    zmq_setsockopt(socket_, ZMQ_LINGER, &at_once, sizeof at_once);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  void bind(const std::string& to) {
    if (zmq_bind(socket_, to.c_str()) != 0) fail("zmq_bind");
  }
  void connect(const std::string& to) {
    if (zmq_connect(socket_, to.c_str()) != 0) fail("zmq_connect");
  }
  void send(const Message& message) {
    if (zmq_send(socket_, message.data(), message.size(), 0) < 0) fail("zmq_send");
  }
  void receive(Message& message) {
    if (zmq_recv(socket_, message.data(), message.size(), 0) < 0) fail("zmq_recv");
  }

 private:
  void* context_;
  void* socket_;
};

void echo() {
  Socket socket;
  socket.connect(address(::getppid()));
  Message message{};
  for (;;) {
    socket.receive(message);
    socket.send(message);
  }
}

class Link {
 public:
  explicit Link(const Run& run) {
    socket_.bind(address(::getpid()));
    peer_.emplace(kEcho, std::initializer_list<int>{}, run.peer_cpu());
  }
  void ask(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) socket_.send(message_);
  }
  std::size_t answers() {
    socket_.receive(message_);
    return 1;
  }

 private:
  Socket socket_;
  std::optional<Peer> peer_;
  Message message_{};
};

}  // namespace

bool prints_here() { return true; }

void add_adapter(std::vector<Benchmark>& to) {
  add_peer(kEcho, echo);
  add_link_peer<Link>(to, "zeromq", "ZeroMQ");
}

}  // namespace weft::bench
