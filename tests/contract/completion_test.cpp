// Executions in event loops that know nothing of weft: a descriptor, and a function to call when it is readable.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

int identity(int number) { return number; }
void nap(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds{ms}); }
void die() { std::abort(); }

bool is_readable(int descriptor) {
  pollfd polled{descriptor, POLLIN, 0};
  return ::poll(&polled, 1, 0) == 1;
}

class Completion : public testing::Test {
 protected:
  /// What a loop does.
  void run() {
    while (done.pending() != 0) {
      pollfd polled{done.descriptor(), POLLIN, 0};
      ASSERT_EQ(::poll(&polled, 1, -1), 1);
      EXPECT_NE(done.dispatch(), 0U);
    }
    EXPECT_FALSE(is_readable(done.descriptor()));
  }
  weft::Pool pool{{.limit = 2}};
  weft::CompletionQueue done;
};

TEST_F(Completion, wakes_a_loop_for_each_of_a_thousand) {
  std::vector<int> got;
  for (int i = 0; i < 1000; ++i)
    done.add(pool.submit<identity>(i), [&got](weft::Execution<int>& each) { got.push_back(each.get()); });
  run();
  EXPECT_EQ(got.size(), 1000U);
  EXPECT_EQ(std::accumulate(got.begin(), got.end(), 0), 999 * 500);
}

TEST_F(Completion, serves_an_edge_triggered_epoll_while_the_thread_sleeps) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, done.descriptor(), &event), 0);
  int naps = 0;
  for (int i = 0; i < 3; ++i) {
    done.add(pool.submit<nap>(20), [&naps](weft::Execution<void>&) { ++naps; });
    while (done.pending() != 0) {
      // The end of a child may interrupt it.
      const int count = ::epoll_wait(epoll, &event, 1, -1);
      ASSERT_TRUE(count == 1 || errno == EINTR);
      if (count == 1) static_cast<void>(done.dispatch());
    }
  }
  EXPECT_EQ(naps, 3);
  ::close(epoll);
}

TEST_F(Completion, tells_failures_as_the_execution_does) {
  bool told = false;
  done.add(pool.submit<die>(), [&told](weft::Execution<void>& dead) {
    EXPECT_THROW(dead.get(), weft::WorkerCrashed);
    told = true;
  });
  run();
  EXPECT_TRUE(told);
}

TEST_F(Completion, takes_what_has_settled_already_and_what_callbacks_add) {
  auto settled = pool.submit<identity>(1);
  settled.wait();
  int chain = 0;
  done.add(std::move(settled), [&](weft::Execution<int>& first) {
    chain += first.get();
    done.add(pool.submit<identity>(2), [&](weft::Execution<int>& second) { chain += second.get(); });
  });
  EXPECT_TRUE(is_readable(done.descriptor()));
  EXPECT_EQ(done.dispatch(), 1U);
  run();
  EXPECT_EQ(chain, 3);
}

TEST_F(Completion, goes_on_after_a_callback_that_throws) {
  int called = 0;
  auto one = pool.submit<identity>(1);
  auto other = pool.submit<identity>(2);
  one.wait();
  other.wait();
  done.add(std::move(one), [](weft::Execution<int>&) { throw std::runtime_error{"mine"}; });
  done.add(std::move(other), [&](weft::Execution<int>&) { ++called; });
  EXPECT_THROW(static_cast<void>(done.dispatch()), std::runtime_error);
  EXPECT_TRUE(is_readable(done.descriptor()));
  EXPECT_EQ(done.dispatch(), 1U);
  EXPECT_EQ(called, 1);
}

TEST_F(Completion, may_end_before_its_tasks) {
  bool called = false;
  {
    weft::CompletionQueue brief;
    brief.add(pool.submit<nap>(10), [&](weft::Execution<void>&) { called = true; });
    EXPECT_EQ(brief.dispatch(), 0U);
  }
  pool.wait_idle();
  EXPECT_FALSE(called);
}

TEST_F(Completion, refuses_an_execution_of_no_task) {
  EXPECT_THROW(done.add(weft::Execution<int>{}, [](weft::Execution<int>&) {}), weft::ArgumentError);
}

}  // namespace
