// weft beside a program that is at work itself: threads that hold locks of malloc, children of its own, a handler of SIGCHLD.

#include <errno.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/kinds.hpp"

namespace weft::contract {
namespace {

std::atomic<int> children_signalled{0};
void on_child(int) { ++children_signalled; }

/// Takes memory of many sizes and gives back as much.
std::size_t churn(std::size_t rounds) {
  std::vector<std::string> held(64);
  std::size_t all = 0;
  for (std::size_t i = 0; i < rounds; ++i) {
    std::string& each = held[i % held.size()];
    each = std::string(1 + i * 37 % 20'000, 'm');
    all += each.size();
  }
  return all;
}
int crash() { std::abort(); }

/// All threads of the program allocate from one arena, of which somebody nearly always holds the lock.
class BusyHost : public testing::TestWithParam<WorkerKind> {
 protected:
  BusyHost() {
    ::mallopt(M_ARENA_MAX, 1);
    struct sigaction own {};
    own.sa_handler = on_child;
    own.sa_flags = SA_RESTART;
    ::sigaction(SIGCHLD, &own, nullptr);
    for (int i = 0; i < 3; ++i) {
      threads_.emplace_back([this] {
        while (!done_) churn(500);
      });
    }
    threads_.emplace_back([this] {
      while (!done_) has_children_of_its_own();
    });
  }
  ~BusyHost() {
    done_ = true;
    for (std::thread& each : threads_) each.join();
    EXPECT_GT(children_, 0);
    EXPECT_GT(children_signalled, 0);
    struct sigaction now {};
    ::sigaction(SIGCHLD, nullptr, &now);
    EXPECT_EQ(now.sa_handler, on_child);
  }

 private:
  /// Some that have ended stand there for a while before they are reaped: whoever takes what is not his own gets them.
  void has_children_of_its_own() {
    std::array<pid_t, 8> all{};
    for (int i = 0; i < 8; ++i) {
      all[static_cast<std::size_t>(i)] = ::fork();
      if (all[static_cast<std::size_t>(i)] == 0) ::_exit(40 + i);
    }
    for (const pid_t child : all) {
      siginfo_t end{};
      while (::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
      }
    }
    for (int i = 0; i < 8; ++i) {
      const pid_t child = all[static_cast<std::size_t>(i)];
      int status = 0;
      EXPECT_EQ(::waitpid(child, &status, WNOHANG), child) << "somebody else reaped it";
      EXPECT_EQ(WEXITSTATUS(status), 40 + i);
      ++children_;
    }
  }

  std::atomic<bool> done_{false};
  std::atomic<int> children_{0};
  std::vector<std::thread> threads_;
};

TEST_P(BusyHost, has_workers_that_start_and_work) {
  const std::size_t expected = churn(1'000);
  for (int round = 0; round < 10; ++round) {
    Pool pool{pool_of(GetParam(), 2)};
    std::vector<Execution<std::size_t>> executions;
    for (int i = 0; i < 20; ++i) executions.push_back(pool.submit<churn>(std::size_t{1'000}));
    for (auto& each : executions) EXPECT_EQ(each.get(), expected);
    if (GetParam() != WorkerKind::thread) {
      EXPECT_THROW(pool.submit<crash>().get(), WorkerCrashed);
      EXPECT_EQ(pool.submit<churn>(std::size_t{1'000}).get(), expected);
    }
    pool.shutdown();
  }
}

INSTANTIATE_TEST_SUITE_P(Of, BusyHost, testing::ValuesIn(kKindsBeside), kKindNamed);

}  // namespace
}  // namespace weft::contract
