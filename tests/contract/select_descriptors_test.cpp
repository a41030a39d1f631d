// Waiting for descriptors beside channels and executions.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/channel.hpp>
#include <weft/pool.hpp>
#include <weft/select.hpp>
#include <weft/sleep.hpp>

using namespace std::chrono_literals;
using boost::fibers::fiber;

namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    close_in();
    close_out();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int out() const { return ends[0]; }  ///< to be read from
  [[nodiscard]] int in() const { return ends[1]; }
  void put() const { EXPECT_EQ(::write(in(), "x", 1), 1); }
  void take() const {
    char c = 0;
    EXPECT_EQ(::read(out(), &c, 1), 1);
  }
  void fill() const {
    const std::array<char, 4096> some{};
    while (::write(in(), some.data(), some.size()) > 0) {
    }
  }
  void drain() const {
    std::array<char, 4096> some{};
    while (::read(out(), some.data(), some.size()) > 0) {
    }
  }
  void close_in() { close(ends[1]); }
  void close_out() { close(ends[0]); }
  static void close(int& end) {
    if (end >= 0) ::close(std::exchange(end, -1));
  }
  std::array<int, 2> ends{-1, -1};
};

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
}

TEST(SelectDescriptors, gives_the_one_that_is_ready) {
  Pipe pipe;
  auto [here, there] = weft::channel_pair<int, int>(1);
  EXPECT_EQ(weft::select_for(1ms, weft::readable(pipe.out()), there), std::nullopt);
  EXPECT_EQ(weft::select(there, weft::readable(pipe.out()), weft::writable(pipe.in())), 2U);
  pipe.put();
  EXPECT_EQ(weft::select(there, weft::readable(pipe.out()), weft::writable(pipe.in())), 1U);
  here.send(1);
  EXPECT_EQ(weft::select(there, weft::readable(pipe.out())), 0U);
}

TEST(SelectDescriptors, suspends_the_fiber_alone_until_it_is_readable) {
  Pipe pipe;
  std::string order;
  fiber waiting{[&] {
    EXPECT_EQ(weft::select(weft::readable(pipe.out())), 0U);
    order += "woken ";
  }};
  boost::this_fiber::yield();
  order += "others run ";
  pipe.put();
  waiting.join();
  EXPECT_EQ(order, "others run woken ");
}

TEST(SelectDescriptors, hears_of_what_other_threads_do) {
  Pipe pipe;
  Pipe full;
  full.fill();
  auto [here, there] = weft::channel_pair<int, int>(1);
  for (int i = 0; i < 100; ++i) {
    std::jthread other{[&] { i % 2 == 0 ? pipe.put() : full.drain(); }};
    const auto which = weft::select(there, weft::readable(pipe.out()), weft::writable(full.in()));
    EXPECT_EQ(which, i % 2 == 0 ? 1U : 2U);
    other.join();
    i % 2 == 0 ? pipe.take() : full.fill();
  }
  std::jthread other{[&] { here.close(); }};
  EXPECT_EQ(weft::select(weft::readable(pipe.out()), there), 1U);
}

TEST(SelectDescriptors, takes_the_end_of_the_other_side_for_readable) {
  Pipe pipe;
  std::jthread other{[&] { pipe.close_in(); }};
  EXPECT_EQ(weft::select(weft::readable(pipe.out())), 0U);
}

TEST(SelectDescriptors, takes_a_file_for_always_ready) {
  std::FILE* const file = std::tmpfile();
  EXPECT_EQ(weft::select(weft::readable(::fileno(file))), 0U);
  EXPECT_EQ(weft::select(weft::writable(::fileno(file))), 0U);
  std::fclose(file);
}

TEST(SelectDescriptors, wakes_all_that_wait_for_the_same) {
  Pipe pipe;
  weft::sleep_for(1us);  // this thread has what it waits with
  const std::ptrdiff_t before = open_descriptors();
  int woken = 0;
  std::vector<fiber> fibers;
  for (int f = 0; f < 3; ++f) {
    fibers.emplace_back([&] {
      EXPECT_EQ(weft::select(weft::readable(pipe.out()), weft::readable(pipe.out())), 0U);
      ++woken;
    });
  }
  boost::this_fiber::yield();
  EXPECT_EQ(woken, 0);
  pipe.put();
  for (fiber& each : fibers) each.join();
  EXPECT_EQ(woken, 3);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(SelectDescriptors, refuses_what_is_not_open) {
  Pipe pipe;
  const int closed = pipe.out();
  pipe.close_out();
  auto [here, there] = weft::channel_pair<int, int>(1);
  EXPECT_THROW(static_cast<void>(weft::select(there, weft::readable(closed))), weft::ArgumentError);
  EXPECT_THROW(static_cast<void>(weft::select_for(1s, there, weft::writable(-1))), weft::ArgumentError);
}

TEST(SelectDescriptors, notices_that_one_was_closed_meanwhile) {
  Pipe pipe;
  const int kept = ::dup(pipe.out());
  weft::sleep_for(1us);  // this thread has what it waits with
  const std::ptrdiff_t before = open_descriptors();
  fiber waiting{[&] {
    EXPECT_THROW(static_cast<void>(weft::select(weft::readable(pipe.out()))), weft::ArgumentError);
  }};
  boost::this_fiber::yield();
  // Out of the fiber's sight: the number is closed, and the pipe lives on.
  const int number = pipe.out();
  ::close(number);
  pipe.put();
  waiting.join();
  EXPECT_EQ(open_descriptors(), before - 1);
  EXPECT_EQ(::dup2(kept, number), number);
  ::close(kept);
}

TEST(SelectDescriptors, is_not_starved_by_fibers_that_never_rest) {
  Pipe pipe;
  bool woken = false;
  fiber waiting{[&] {
    EXPECT_EQ(weft::select(weft::readable(pipe.out())), 0U);
    woken = true;
  }};
  boost::this_fiber::yield();
  pipe.put();
  while (!woken) boost::this_fiber::yield();
  waiting.join();
}

TEST(SelectDescriptors, sleeps_while_nothing_comes) {
  const auto used = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
  };
  Pipe pipe;
  const auto before = used();
  EXPECT_EQ(weft::select_for(200ms, weft::readable(pipe.out())), std::nullopt);
  EXPECT_LT(used() - before, 100ms);  // of this thread's own processor time
}

TEST(SelectDescriptors, fails_where_there_are_none_left_to_wait_with) {
  Pipe pipe;
  weft::sleep_for(1us);  // this thread can wait
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(pipe.in()) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  std::vector<int> taken;
  for (int fd = ::dup(pipe.out()); fd >= 0; fd = ::dup(pipe.out())) taken.push_back(fd);
  EXPECT_THROW(static_cast<void>(weft::select_for(1s, weft::readable(pipe.out()))), weft::Exhausted);
  for (const int fd : taken) ::close(fd);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(weft::select_for(1ms, weft::readable(pipe.out())), std::nullopt);
}

/// Of the worker that runs both.
Pipe& worker_pipe() {
  static Pipe pipe;
  return pipe;
}

TEST(SelectDescriptors, suspends_a_task_while_others_of_its_worker_run) {
  weft::Pool pool{{.limit = 1}};
  weft::Lease lease = pool.lease();  // so that both go there
  auto waiting = lease.submit([] { return weft::select(weft::readable(worker_pipe().out())); });
  lease.submit([] { worker_pipe().put(); }).get();
  EXPECT_EQ(waiting.get(), 0U);
}

}  // namespace
