// POSIX message queues and Boost.Interprocess's. Both have names; each goes as soon as both sides have opened it.

#include <fcntl.h>
#include <mqueue.h>
#include <unistd.h>

#include <algorithm>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "base/unique_fd.hpp"
#include "harness/peer.hpp"
#include "peers/pattern.hpp"
#include "peers/peers.hpp"

namespace weft::bench {

namespace {

namespace interprocess = boost::interprocess;

[[noreturn]] void fail(const char* what) { throw std::system_error{errno, std::system_category(), what}; }

// What whoever is not root may have in a queue; with more in flight the rest waits in the sender.
std::size_t posix_depth() {
  std::size_t depth = 10;
  std::ifstream{"/proc/sys/fs/mqueue/msg_max"} >> depth;
  return std::min(depth, kPeerInFlight);
}

// A POSIX queue is a descriptor on Linux, so that the other side can inherit it.
class PosixQueue {
 public:
  explicit PosixQueue(const char* direction) {
    const std::string name = "/weft_bench." + std::to_string(::getpid()) + "." + direction;
    mq_attr attributes{};
    attributes.mq_maxmsg = static_cast<long>(posix_depth());
    attributes.mq_msgsize = sizeof(Message);
    fd_ = base::UniqueFd{::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes)};
    if (!fd_) fail("mq_open");
    ::mq_unlink(name.c_str());
  }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  base::UniqueFd fd_;
};

void put(int queue, const Message& message) {
  if (::mq_send(queue, reinterpret_cast<const char*>(message.data()), message.size(), 0) != 0)
    fail("mq_send");
}

void take(int queue, Message& message) {
  if (::mq_receive(queue, reinterpret_cast<char*>(message.data()), message.size(), nullptr) < 0)
    fail("mq_receive");
}

void posix_echo() {
  Message message{};
  for (;;) {
    take(peer_fd(0), message);
    put(peer_fd(1), message);
  }
}

class PosixLink {
 public:
  explicit PosixLink(const Run& run)
      : peer_{"peers.posix_mq_echo", {there_.fd(), back_.fd()}, run.peer_cpu()} {}

  // Never more than both queues and the other side's hand hold, or both sides would wait for room for ever.
  void ask(std::size_t count) {
    waiting_ += count;
    while (waiting_ > 0 && flying_ < room_) {
      put(there_.fd(), message_);
      --waiting_;
      ++flying_;
    }
  }
  std::size_t answers() {
    take(back_.fd(), message_);
    --flying_;
    ask(0);
    return 1;
  }

 private:
  PosixQueue there_{"there"};
  PosixQueue back_{"back"};
  Peer peer_;
  Message message_{};
  std::size_t room_ = 2 * posix_depth();
  std::size_t waiting_ = 0;
  std::size_t flying_ = 0;
};

// Boost's queue of kPeerInFlight messages; the other side finds it by its parent's number.
std::string boost_name(pid_t parent, const char* direction) {
  return "weft_bench.peer." + std::to_string(parent) + "." + direction;
}

void boost_echo() {
  interprocess::message_queue there{interprocess::open_only, boost_name(::getppid(), "there").c_str()};
  interprocess::message_queue back{interprocess::open_only, boost_name(::getppid(), "back").c_str()};
  Message message{};
  interprocess::message_queue::size_type got = 0;
  unsigned priority = 0;
  for (;;) {
    there.receive(message.data(), message.size(), got, priority);
    back.send(message.data(), message.size(), priority);
  }
}

class BoostLink {
 public:
  explicit BoostLink(const Run& run) : peer_{"peers.boost_mq_echo", {}, run.peer_cpu()} {
    // Once round: then the other side has opened both.
    ask(1);
    answers();
    there_.unlink();
    back_.unlink();
  }
  void ask(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) there_.queue.send(message_.data(), message_.size(), 0);
  }
  std::size_t answers() {
    interprocess::message_queue::size_type got = 0;
    unsigned priority = 0;
    back_.queue.receive(message_.data(), message_.size(), got, priority);
    return 1;
  }

 private:
  struct Named {
    explicit Named(const char* direction)
        : name{boost_name(::getpid(), direction)},
          queue{interprocess::create_only, name.c_str(), kPeerInFlight, sizeof(Message)} {}
    Named(const Named&) = delete;
    Named& operator=(const Named&) = delete;
    ~Named() { unlink(); }
    void unlink() { interprocess::message_queue::remove(name.c_str()); }
    std::string name;
    interprocess::message_queue queue;
  };

  Named there_{"there"};
  Named back_{"back"};
  Peer peer_;
  Message message_{};
};

}  // namespace

void add_message_queue_peers(std::vector<Benchmark>& to) {
  add_peer("peers.posix_mq_echo", posix_echo);
  add_peer("peers.boost_mq_echo", boost_echo);
  add_link_peer<PosixLink>(to, "posix_mq", "POSIX message queue");
  // baseline.message_queue.round_trip is among the core's figures.
  to.push_back(
      {{pipelined_of("message_queue", "Boost.Interprocess message_queue")}, link_pipelined<BoostLink>});
}

}  // namespace weft::bench
