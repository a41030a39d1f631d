// What the machine itself costs: nothing that crosses from one process to another can be faster than these.

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "benchmarks.hpp"
#include "harness/cpus.hpp"
#include "harness/peer.hpp"
#include "harness/shared.hpp"

namespace weft::bench {

namespace {

// One word that both processes write in turn: odd values are questions, each is answered by the next even one.
struct alignas(64) Bounce {
  std::atomic<std::uint64_t> word;
};

// Waiting with a pause between two looks is what whoever spins should do, and on some machines a good deal faster: a
// look that comes while the other side writes takes its cache line away. Without, the same is limit.bounce.unpaused.
template <bool kPause>
void wait_for(const Bounce& bounce, std::uint64_t value) {
  while (bounce.word.load(std::memory_order_acquire) != value) {
    if constexpr (kPause) base::spin_pause();
  }
}

template <bool kPause>
void bounce_peer() {
  const auto shared = Shared<Bounce>::open(peer_fd(0));
  for (std::uint64_t question = 1;; question += 2) {
    wait_for<kPause>(*shared, question);
    shared->word.store(question + 1, std::memory_order_release);
  }
}

template <bool kPause>
void bounce(Run& run, const char* peer_name) {
  const auto shared = Shared<Bounce>::create();
  const Pinned pinned{run.cpu()};
  const Peer peer{peer_name, {shared.fd()}, run.peer_cpu()};
  std::uint64_t question = 1;
  run.each(400'000, [&] {
    shared->word.store(question, std::memory_order_release);
    wait_for<kPause>(*shared, question + 1);
    question += 2;
  });
}

template <bool kPause>
void add_bounce(std::vector<Benchmark>& to, const char* name) {
  add_peer(name, bounce_peer<kPause>);
  to.push_back({{{name, "ns"}}, [name](Run& run) { bounce<kPause>(run, name); }, true});
}

// An eventfd and the epoll that waits for it, as a reactor has them.
class Bell {
 public:
  explicit Bell(int event) : event_{event}, epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLET;
    if (!epoll_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event, &wanted) != 0) {
      throw std::system_error{errno, std::system_category(), "epoll"};
    }
  }
  void sleep() {
    epoll_event event{};
    while (::epoll_wait(epoll_.get(), &event, 1, -1) < 1) {
    }
  }
  static void ring(int event) {
    const std::uint64_t one = 1;
    if (::write(event, &one, sizeof one) != sizeof one)
      throw std::system_error{errno, std::system_category(), "eventfd"};
  }
  void ring() const { ring(event_); }

 private:
  int event_;
  base::UniqueFd epoll_;
};

// The message lies in shared memory, a line a direction; the eventfd says only that it is there. Edge-triggered, so
// that nobody has to read the eventfd: 2 system calls on each side of a round trip, and both sides sleep in each.
struct Mail {
  alignas(64) std::atomic<std::uint64_t> question;
  alignas(64) std::atomic<std::uint64_t> answer;
};

void eventfd_pair_peer() {
  const auto mail = Shared<Mail>::open(peer_fd(0));
  Bell mine{peer_fd(1)};
  for (std::uint64_t question = 1;; ++question) {
    while (mail->question.load(std::memory_order_acquire) != question) mine.sleep();
    mail->answer.store(question, std::memory_order_release);
    Bell::ring(peer_fd(2));
  }
}

// `measure` is given the round trip.
template <class Measure>
void eventfd_pair(Run& run, Measure&& measure) {
  const auto mail = Shared<Mail>::create();
  const base::UniqueFd to_peer{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  const base::UniqueFd to_us{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Bell mine{to_us.get()};
  const Pinned pinned{run.cpu()};
  const Peer peer{"limit.eventfd_pair", {mail.fd(), to_peer.get(), to_us.get()}, run.peer_cpu()};
  std::uint64_t question = 0;
  measure([&] {
    mail->question.store(++question, std::memory_order_release);
    Bell::ring(to_peer.get());
    while (mail->answer.load(std::memory_order_acquire) != question) mine.sleep();
  });
}

template <class Between>
void eventfd_pair(Run& run, std::size_t count, Between between) {
  eventfd_pair(run, [&](auto&& once) { run.each(count, once, between); });
}

void posix_spawn_empty(Run& run) {
  const std::string program = program_folder() + "/weft_bench_empty";
  run.each(200, [&] {
    if (!spawn_and_wait(program)) throw std::runtime_error{program + " failed"};
  });
}

void copy_memory(Run& run, std::size_t bytes) {
  const Pinned pinned{run.cpu()};
  const std::vector<std::byte> from(bytes, std::byte{1});
  std::vector<std::byte> to(bytes);
  run.each((std::size_t{2} << 30) / bytes, [&] {
    std::memcpy(to.data(), from.data(), bytes);
    keep(to.data());
  });
}

}  // namespace

void eventfd_round_trips(Run& run, std::chrono::nanoseconds time, const std::function<void()>& between) {
  eventfd_pair(run, [&](auto&& once) { run.each_for(time, once, between); });
}

void add_limits(std::vector<Benchmark>& to) {
  add_peer("limit.eventfd_pair", eventfd_pair_peer);
  add_bounce<true>(to, "limit.bounce");
  add_bounce<false>(to, "limit.bounce.unpaused");
  // As task.parked.round_trip: each call comes after 2 ms in which both processes sleep and their CPUs have nothing to do.
  to.push_back({{{"limit.eventfd_pair", "ns"}},
                [](Run& run) {
                  eventfd_pair(run, 1000, [] { std::this_thread::sleep_for(std::chrono::milliseconds{2}); });
                },
                true});
  to.push_back({{{"limit.eventfd_pair.1ms", "ns"}},
                [](Run& run) {
                  eventfd_pair(run, 1000, [] { std::this_thread::sleep_for(std::chrono::milliseconds{1}); });
                },
                true});
  to.push_back(
      {{{"limit.eventfd_pair.busy", "ns"}}, [](Run& run) { eventfd_pair(run, 50'000, [] {}); }, true});
  to.push_back({{{"limit.posix_spawn", "ns"}}, posix_spawn_empty});
  to.push_back({{{"limit.memcpy.64KiB", "ns"}}, [](Run& run) { copy_memory(run, 64U << 10); }, true});
  to.push_back({{{"limit.memcpy.1MiB", "ns"}}, [](Run& run) { copy_memory(run, 1U << 20); }, true});
  to.push_back({{{"limit.memcpy.16MiB", "ns"}}, [](Run& run) { copy_memory(run, 16U << 20); }, true});
}

}  // namespace weft::bench
