// How long those that wait may spin: no longer than there are cores to spin on. What a pool allows stands on its board,
// which is looked at here as `weft top` finds it: among the descriptors.

#include <gtest/gtest.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <weft/weft.hpp>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "contract/role.hpp"
#include "fiber/reactor.hpp"
#include "link/board.hpp"
#include "process/cpus.hpp"

extern char** environ;

namespace weft {
namespace {

using namespace std::chrono_literals;

/// The board of the only pool that this process has.
class BoardLook {
 public:
  BoardLook() {
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
      std::error_code gone;
      if (!std::filesystem::read_symlink(entry, gone).string().starts_with("/memfd:weft-board")) continue;
      void* const memory =
          ::mmap(nullptr, sizeof(link::Board), PROT_READ, MAP_SHARED, std::stoi(entry.path().filename()), 0);
      if (memory != MAP_FAILED) board_ = static_cast<const link::Board*>(memory);
      return;
    }
  }
  BoardLook(const BoardLook&) = delete;
  BoardLook& operator=(const BoardLook&) = delete;
  ~BoardLook() { ::munmap(const_cast<link::Board*>(board_), sizeof(link::Board)); }

  [[nodiscard]] bool found() const { return board_ != nullptr; }
  [[nodiscard]] std::uint64_t spin_ns() const { return board_->spin_ns_max.load(base::relaxed); }
  [[nodiscard]] std::uint64_t busy_poll_ns() const { return board_->busy_poll_ns.load(base::relaxed); }
  /// Looks at the pool until the board says that.
  void until(Pool& pool, std::uint64_t spin_ns) const {
    while (this->spin_ns() != spin_ns) {
      static_cast<void>(pool.status());
      std::this_thread::sleep_for(1ms);
    }
  }

 private:
  const link::Board* board_ = nullptr;
};

std::size_t serving(const PoolStatus& status) { return status.workers_idle + status.workers_busy; }

TEST(Spinning, is_short_as_long_as_there_are_as_many_workers_as_cores_or_more) {
  const std::size_t cores = process::cpus_allowed();
  if (cores == 1) GTEST_SKIP() << "nobody spins on one core";
  Pool pool{{.limit = cores + 1, .idle_timeout = 0s, .worker = {.busy_poll = 1ms}}};
  const BoardLook board;
  ASSERT_TRUE(board.found());
  EXPECT_EQ(board.spin_ns(), base::kSpinNsMax) << "there are no workers yet";
  EXPECT_EQ(board.busy_poll_ns(), 1'000'000U);
  const auto grow = [&](std::size_t count) {
    std::vector<Execution<void>> held;
    while (serving(pool.status()) < count) {
      held.push_back(pool.submit([] { std::this_thread::sleep_for(20ms); }));
      std::this_thread::sleep_for(1ms);
    }
    all(held);
  };
  grow(cores);
  EXPECT_EQ(board.spin_ns(), base::kSpinNsCrowded);
  EXPECT_EQ(board.busy_poll_ns(), 0U);
  grow(cores + 1);
  EXPECT_EQ(board.spin_ns(), base::kSpinNsCrowded);
  pool.resize(cores - 1);
  board.until(pool, base::kSpinNsMax);
  static_cast<void>(pool.status());  // what writes the board has done so
  EXPECT_EQ(board.busy_poll_ns(), 1'000'000U);
  EXPECT_LT(serving(pool.status()), cores);
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

const contract::Role on_one_cpu{"on_one_cpu", [](const contract::Role::Arguments&) {
                                  cpu_set_t set;
                                  require(::sched_getaffinity(0, sizeof set, &set) == 0, "the CPUs");
                                  unsigned first = 0;
                                  while (!CPU_ISSET(first, &set)) ++first;
                                  CPU_ZERO(&set);
                                  CPU_SET(first, &set);
                                  require(::sched_setaffinity(0, sizeof set, &set) == 0, "one CPU");
                                  Pool pool{{.limit = 2}};
                                  const BoardLook board;
                                  require(board.found() && board.spin_ns() == 0, "no spin without workers");
                                  const int four = pool.submit([] { return 4; }).get();
                                  require(four == 4 && board.spin_ns() == 0, "no spin with one");
                                }};

TEST(Spinning, is_not_done_on_one_core) {
  std::string self = "/proc/self/exe";
  std::string words[] = {"spinning_test", "--role", "on_one_cpu"};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t pid = -1;
  ASSERT_EQ(::posix_spawn(&pid, self.c_str(), nullptr, nullptr, arguments, environ), 0);
  int status = -1;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

TEST(Spinning, of_a_thread_stays_within_its_limit_whatever_it_was_worth) {
  fiber::Reactor& reactor = fiber::Reactor::current();
  const auto ticks = [](std::uint64_t ns) { return ns * base::ticks_per_us() / 1000; };
  reactor.set_spin_limit(base::kSpinNsMax);
  EXPECT_LE(reactor.spin_ticks(), ticks(base::kSpinNsMax));
  reactor.set_spin_limit(base::kSpinNsCrowded);
  EXPECT_EQ(reactor.spin_ticks(), ticks(base::kSpinNsCrowded)) << "a new limit begins anew";
  for (int i = 0; i < 100; ++i) reactor.spun(true);
  EXPECT_EQ(reactor.spin_ticks(), ticks(base::kSpinNsCrowded));
  for (int i = 0; i < 100; ++i) reactor.spun(false);
  EXPECT_EQ(reactor.spin_ticks(), ticks(base::kSpinNsMin));
  for (int i = 0; i < 100; ++i) reactor.spun(true);
  EXPECT_EQ(reactor.spin_ticks(), ticks(base::kSpinNsCrowded));
  reactor.set_spin_limit(0);
  EXPECT_EQ(reactor.spin_ticks(), 0U);
  for (int i = 0; i < 100; ++i) reactor.spun(true);
  EXPECT_EQ(reactor.spin_ticks(), 0U);
}

}  // namespace
}  // namespace weft
