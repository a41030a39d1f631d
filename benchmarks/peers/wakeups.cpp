// eventfd and futex: the messages lie in shared memory, a ring of 256 for each direction, and the kernel only wakes.

#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "harness/peer.hpp"
#include "harness/shared.hpp"
#include "peers/pattern.hpp"
#include "peers/peers.hpp"

namespace weft::bench {

namespace {

struct Direction {
  alignas(64) std::atomic<std::uint32_t> written;  // messages so far; the futex's word
  alignas(64) std::atomic<std::uint32_t> waiting;  // 1 while the reader sleeps on the futex
  alignas(64) Message messages[kPeerInFlight];
};

struct Mail {
  Direction there;
  Direction back;
};

// The eventfd counts the messages, as its manual shows it: a write says how many, a read takes them all.
class ByEventfd {
 public:
  explicit ByEventfd(int fd) : fd_{fd} {}
  void tell(Direction&, std::uint32_t count) const {
    const std::uint64_t value = count;
    if (::write(fd_, &value, sizeof value) != sizeof value) fail("eventfd");
  }
  std::uint32_t wait(Direction&, std::uint32_t) const {
    std::uint64_t value = 0;
    if (::read(fd_, &value, sizeof value) != sizeof value) fail("eventfd");
    return static_cast<std::uint32_t>(value);
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    throw std::system_error{errno, std::system_category(), what};
  }
  int fd_;
};

// A futex on the number of messages; it wakes only whom it finds asleep.
class ByFutex {
 public:
  explicit ByFutex(int) {}
  void tell(Direction& direction, std::uint32_t count) const {
    direction.written.fetch_add(count);
    if (direction.waiting.load() != 0) futex(direction, FUTEX_WAKE, 1);
  }
  std::uint32_t wait(Direction& direction, std::uint32_t seen) const {
    while (direction.written.load() == seen) {
      direction.waiting.store(1);
      futex(direction, FUTEX_WAIT, seen);
      direction.waiting.store(0);
    }
    return direction.written.load() - seen;
  }

 private:
  static void futex(Direction& direction, int operation, std::uint32_t value) {
    ::syscall(SYS_futex, &direction.written, operation, value, nullptr, nullptr, 0);
  }
};

template <class Wake>
struct Reader {
  Direction& direction;
  Wake wake;
  std::uint32_t seen = 0;
  std::uint32_t take(Message* to) {
    const std::uint32_t count = wake.wait(direction, seen);
    for (std::uint32_t i = 0; i < count; ++i) to[i] = direction.messages[seen++ % kPeerInFlight];
    return count;
  }
};

template <class Wake>
struct Writer {
  Direction& direction;
  Wake wake;
  std::uint32_t next = 0;
  void put(const Message* from, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) direction.messages[next++ % kPeerInFlight] = from[i];
    wake.tell(direction, count);
  }
};

template <class Wake>
void echo() {
  const auto mail = Shared<Mail>::open(peer_fd(0));
  Reader<Wake> questions{mail->there, Wake{peer_fd(1)}};
  Writer<Wake> answers{mail->back, Wake{peer_fd(2)}};
  std::vector<Message> messages(kPeerInFlight);
  for (;;) answers.put(messages.data(), questions.take(messages.data()));
}

template <class Wake>
constexpr const char* kEcho = nullptr;
template <>
constexpr const char* kEcho<ByEventfd> = "peers.eventfd_echo";
template <>
constexpr const char* kEcho<ByFutex> = "peers.futex_echo";

template <class Wake>
class Mailbox {
 public:
  explicit Mailbox(const Run& run)
      : there_{::eventfd(0, EFD_CLOEXEC)},
        back_{::eventfd(0, EFD_CLOEXEC)},
        peer_{kEcho<Wake>, {mail_.fd(), there_.get(), back_.get()}, run.peer_cpu()} {}

  void ask(std::size_t count) { questions_.put(messages_.data(), static_cast<std::uint32_t>(count)); }
  std::size_t answers() { return answers_.take(messages_.data()); }

 private:
  Shared<Mail> mail_ = Shared<Mail>::create();
  base::UniqueFd there_;
  base::UniqueFd back_;
  Peer peer_;
  Writer<Wake> questions_{mail_->there, Wake{there_.get()}};
  Reader<Wake> answers_{mail_->back, Wake{back_.get()}};
  std::vector<Message> messages_ = std::vector<Message>(kPeerInFlight);
};

}  // namespace

void add_wakeup_peers(std::vector<Benchmark>& to) {
  add_peer(kEcho<ByEventfd>, echo<ByEventfd>);
  add_peer(kEcho<ByFutex>, echo<ByFutex>);
  add_link_peer<Mailbox<ByEventfd>>(to, "eventfd", "eventfd and shared memory");
  add_link_peer<Mailbox<ByFutex>>(to, "futex", "futex and shared memory");
}

}  // namespace weft::bench
