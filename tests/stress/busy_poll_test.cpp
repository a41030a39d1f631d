// WorkerOptions::busy_poll: whoever does not sleep for a long time hears, tells and does all the same what belongs to a sleep.
// Where they did not, these would wait for an hour: CTest's watchdog tells.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/unique_fd.hpp"
#include "contract/kinds.hpp"
#include "fiber/reactor.hpp"
#include "process/cpus.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;
using contract::kKindsBeside;

constexpr auto kLong = 1h;
constexpr std::uint64_t kLongNs = 3'600'000'000'000;

int halved(int x) { return x / 2; }
int after_5_ms(int x) {
  std::this_thread::sleep_for(5ms);
  return x;
}
/// Suspends until its submitter says something.
int listens(TaskScope& scope) { return scope.channel<int, int>().receive(); }
void kills_itself() {
  std::this_thread::sleep_for(5ms);
  ::raise(SIGKILL);
}

/// The only worker of this program. For a moment now and then it looks as if it slept.
bool is_awake() {
  const std::vector<WorkerLook> workers = look_at_program(::getpid()).workers;
  return std::any_of(workers.begin(), workers.end(),
                     [](const WorkerLook& worker) { return worker.state == WorkerState::idle; });
}

/// Never has anything.
class Silence final : public fiber::Source {
 public:
  Silence() { fiber::Reactor::current().attach(*this, bell_.get(), UINT64_MAX); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() { fiber::Reactor::current().detach(*this); }
  bool poll() noexcept override { return false; }
  bool arm() noexcept override { return ++armed_ > 0; }
  void disarm() noexcept override { --armed_; }
  [[nodiscard]] std::uint64_t busy_poll_ns() const noexcept override { return asks_ns; }
  [[nodiscard]] bool is_armed() const { return armed_ != 0; }

  std::atomic<std::uint64_t> asks_ns{kLongNs};

 private:
  int armed_ = 0;
  base::UniqueFd bell_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

class BusyReactor : public testing::Test {
 protected:
  void SetUp() override { reactor.set_spin_limit(base::kSpinNsMax); }
  fiber::Reactor& reactor = fiber::Reactor::current();
  Silence silence;
};

TEST_F(BusyReactor, keeps_time_without_a_sleep) {
  const std::uint64_t sleeps = reactor.sleeps();
  const std::uint64_t until = base::now_ns() + 20'000'000;
  reactor.sleep_until(until);
  EXPECT_GE(base::now_ns(), until);
  EXPECT_EQ(reactor.sleeps(), sleeps);
  EXPECT_FALSE(silence.is_armed());
}

TEST_F(BusyReactor, sleeps_when_it_is_over) {
  silence.asks_ns = 1'000'000;
  const std::uint64_t sleeps = reactor.sleeps();
  while (reactor.sleeps() == sleeps) reactor.sleep_until(base::now_ns() + 20'000'000);
  EXPECT_FALSE(silence.is_armed());
}

TEST_F(BusyReactor, sleeps_when_it_is_no_longer_asked_for) {
  const std::uint64_t sleeps = reactor.sleeps();
  std::thread enough{[&] {
    std::this_thread::sleep_for(5ms);
    silence.asks_ns = 0;
  }};
  while (reactor.sleeps() == sleeps) reactor.sleep_until(base::now_ns() + 20'000'000);
  enough.join();
}

TEST_F(BusyReactor, does_for_the_source_that_asks_for_most) {
  Silence modest;
  modest.asks_ns = 0;
  const std::uint64_t sleeps = reactor.sleeps();
  reactor.sleep_until(base::now_ns() + 5'000'000);
  EXPECT_EQ(reactor.sleeps(), sleeps);
}

TEST_F(BusyReactor, hears_of_descriptors) {
  const std::uint64_t sleeps = reactor.sleeps();
  const base::UniqueFd told{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::thread teller{[&] {
    std::this_thread::sleep_for(5ms);
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(told.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }};
  EXPECT_TRUE(reactor.wait_readable(told.get()));
  teller.join();
  EXPECT_EQ(reactor.sleeps(), sleeps);
}

/// Wakers at any moment, those of a rest among them.
TEST_F(BusyReactor, misses_no_waker_of_another_thread) {
  const std::uint64_t sleeps = reactor.sleeps();
  for (int i = 0; i < 2000; ++i) {
    const fiber::Waker waker = reactor.waker();
    std::thread waking{[&] {
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{i % 300};
      while (std::chrono::steady_clock::now() < until) {
      }
      waker.wake();
    }};
    reactor.suspend();
    waking.join();
  }
  EXPECT_EQ(reactor.sleeps(), sleeps);
}

class BusyPollOf : public testing::TestWithParam<WorkerKind> {
 protected:
  static PoolOptions options() {
    PoolOptions made = contract::pool_of(GetParam());
    made.worker.busy_poll = kLong;
    made.idle_timeout = 0s;  // nobody looks after the pool now and then
    return made;
  }
};

/// On one core whoever looked would keep the other from it: there they sleep, and the values come all the same.
TEST_P(BusyPollOf, gives_values_and_lets_nobody_sleep) {
  const bool may_look = process::cpus_allowed() > 1;
  Pool pool{options()};
  EXPECT_EQ(pool.submit<halved>(2).get(), 1);
  const std::uint64_t sleeps = fiber::Reactor::current().sleeps();
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(1ms);
    while (may_look && !is_awake()) {
    }
    EXPECT_EQ(pool.submit<after_5_ms>(i).get(), i);
  }
  EXPECT_EQ(fiber::Reactor::current().sleeps() == sleeps, may_look);
  pool.shutdown();
}

/// This thread sleeps without weft's knowing, so that the worker has to ring, which it puts off until it has nothing to do.
TEST_P(BusyPollOf, tells_of_answers_that_nobody_waits_for) {
  Pool pool{options()};
  EXPECT_EQ(pool.submit<halved>(2).get(), 1);
  std::latch done{1};
  int value = 0;
  auto execution = pool.submit<halved>(4);
  execution.then([&](int result) {
    value = result;
    done.count_down();
  });
  done.wait();
  EXPECT_EQ(value, 2);
}

TEST_P(BusyPollOf, hears_from_a_task_that_is_suspended) {
  Pool pool{options()};
  auto running = pool.submit<listens>();
  auto channel = running.channel<int, int>();
  std::this_thread::sleep_for(2ms);
  channel.send(7);
  EXPECT_EQ(running.get(), 7);
}

INSTANTIATE_TEST_SUITE_P(kinds, BusyPollOf, testing::ValuesIn(kKindsBeside), contract::kKindNamed);

TEST(BusyPoll, hears_of_a_dead_worker) {
  Pool pool{{.limit = 1, .worker = {.busy_poll = kLong}}};
  EXPECT_THROW(pool.submit<kills_itself>().get(), WorkerCrashed);
  EXPECT_EQ(pool.submit<halved>(4).get(), 2);
}

TEST(BusyPoll, is_refused_where_it_is_no_time) {
  for (const auto wrong : {std::chrono::nanoseconds{-1}, std::chrono::nanoseconds{1h} + 1ns}) {
    EXPECT_THROW(static_cast<void>(Pool{{.limit = 1, .worker = {.busy_poll = wrong}}}), ArgumentError);
    EXPECT_THROW(static_cast<void>(Worker{{.busy_poll = wrong}}), ArgumentError);
  }
}

}  // namespace
}  // namespace weft
