// How pools and workers are ended at once, what that is said to cost, and which idle worker gets the next task before.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"

namespace weft::contract {
namespace {

std::int64_t own_pid() { return ::getpid(); }
/// Says that it has begun, waits at the gate, and gives its worker's pid.
std::int64_t pid_behind(TaskScope& scope, const std::string& gate) {
  scope.progress(1);
  behind(gate, 0);
  return ::getpid();
}

void nap() { std::this_thread::sleep_for(std::chrono::milliseconds{3}); }

Execution<std::int64_t> begun(Execution<std::int64_t> execution) {
  until_begun(execution);
  return execution;
}

/// What is written to stderr while it lives.
class Complaints {
 public:
  Complaints() : file_{::memfd_create("complaints", MFD_CLOEXEC)}, before_{::dup(STDERR_FILENO)} {
    ::dup2(file_, STDERR_FILENO);
  }
  ~Complaints() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(file_);
  }
  Complaints(const Complaints&) = delete;
  Complaints& operator=(const Complaints&) = delete;
  [[nodiscard]] std::string text() const {
    std::string all(4096, '\0');
    const ssize_t bytes = ::pread(file_, all.data(), all.size(), 0);
    all.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    return all;
  }

 private:
  int file_;
  int before_;
};

TEST(Destruction, says_how_many_tasks_it_cost) {
  const Gate gate;
  std::vector<Execution<std::int64_t>> lost;
  const Complaints complaints;
  {
    Pool pool{{.limit = 1}};
    lost.push_back(begun(pool.submit<pid_behind>(gate.path())));
    for (int i = 0; i < 4; ++i) lost.push_back(pool.submit<own_pid>());
  }
  EXPECT_EQ(complaints.text(),
            "weft: a pool was destroyed with 5 unfinished tasks; shutdown() lets them finish\n");
  for (auto& each : lost) EXPECT_THROW(each.get(), Error);
}

TEST(Destruction, of_a_worker_says_so_too) {
  const Gate gate;
  const Complaints complaints;
  Execution<std::int64_t> lost;
  {
    Worker worker;
    lost = begun(worker.submit<pid_behind>(gate.path()));
  }
  EXPECT_EQ(complaints.text(),
            "weft: a worker was destroyed with 1 unfinished task; shutdown() lets them finish\n");
  EXPECT_THROW(lost.get(), WorkerKilled);
}

TEST(Destruction, says_nothing_where_everything_is_done) {
  const Complaints complaints;
  {
    Pool pool{{.limit = 2}};
    std::vector<Execution<std::int64_t>> all;
    for (int i = 0; i < 20; ++i) all.push_back(pool.submit<own_pid>());
    for (auto& each : all) each.wait();
  }
  EXPECT_EQ(complaints.text(), "");
}

TEST(Worker, fails_what_is_unfinished_when_it_is_killed) {
  const Gate gate;
  Worker worker;
  const auto pid = static_cast<pid_t>(worker.submit<own_pid>().get());
  auto running = begun(worker.submit<pid_behind>(gate.path()));
  std::vector<Execution<std::int64_t>> waiting;
  for (int i = 0; i < 2'000; ++i) waiting.push_back(worker.submit<own_pid>());
  worker.kill();
  try {
    running.get();
    FAIL() << "it went on";
  } catch (const WorkerKilled& error) {
    EXPECT_TRUE(error.verdict().may_have_run);
    EXPECT_FALSE(error.verdict().worker_survived);
  }
  for (auto& each : waiting) {
    try {
      each.get();
      ADD_FAILURE() << "it ran";
    } catch (const WorkerKilled& error) {
      EXPECT_FALSE(error.verdict().may_have_run) << error.what();
    } catch (const Closed& error) {
      EXPECT_FALSE(error.verdict().may_have_run) << error.what();
    }
  }
  EXPECT_FALSE(worker.is_running());
  EXPECT_FALSE(worker.is_idle());
  EXPECT_THROW(static_cast<void>(worker.submit<own_pid>()), Closed);
  worker.shutdown();  // waits for the process's end
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  worker.kill();
}

/// A byte for each task, which it sets when it runs: in shared memory, so that it costs less than what is tested.
class Runs {
 public:
  explicit Runs(std::size_t count) : file_{::memfd_create("runs", MFD_CLOEXEC)} {
    if (::ftruncate(file_, static_cast<off_t>(count)) != 0) std::abort();
  }
  ~Runs() { ::close(file_); }
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;
  [[nodiscard]] std::string path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file_);
  }
  [[nodiscard]] bool ran(std::size_t task) const {
    char mark = 0;
    if (::pread(file_, &mark, 1, static_cast<off_t>(task)) != 1) std::abort();
    return mark != 0;
  }
  static void mark(const std::string& path, std::size_t task) {
    static const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status {};
    static char* const marks =
        ::fstat(file, &status) == 0
            ? static_cast<char*>(::mmap(nullptr, static_cast<std::size_t>(status.st_size),
                                        PROT_READ | PROT_WRITE, MAP_SHARED, file, 0))
            : nullptr;
    marks[task] = 1;
  }

 private:
  int file_;
};

// Between the kill and the end of the process it goes on for a moment.
TEST(Worker, that_is_killed_never_runs_what_is_said_not_to_have_run) {
  constexpr std::size_t kTasks = 3'000;
  for (int round = 0; round < 30; ++round) {
    const Runs runs{kTasks};
    Worker worker;
    worker.submit<own_pid>().get();
    auto first = worker.submit<nap>();
    std::vector<Execution<void>> all;
    for (std::size_t i = 0; i < kTasks; ++i) all.push_back(worker.submit<Runs::mark>(runs.path(), i));
    while (!first.ready()) {
    }  // what is in the ring runs from here on, in some 0.2 ms
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{2 * round};
    while (std::chrono::steady_clock::now() < until) {
    }
    worker.kill();
    worker.shutdown();  // waits for the process's end
    for (std::size_t i = 0; i < kTasks; ++i) {
      try {
        all[i].get();
        EXPECT_TRUE(runs.ran(i)) << i;
      } catch (const Error& error) {
        if (!error.verdict().may_have_run) {
          EXPECT_FALSE(runs.ran(i)) << i << ' ' << error.what();
        }
      }
    }
  }
}

TEST(Worker, can_be_killed_before_it_has_started) {
  const Gate gate;
  Worker worker;
  auto never = worker.submit<pid_behind>(gate.path());
  worker.kill();
  EXPECT_THROW(never.get(), Error);
  worker.shutdown();
  EXPECT_FALSE(worker.is_running());
}

TEST(Pool, takes_the_idle_worker_that_was_busy_last) {
  constexpr std::array<std::array<std::size_t, 3>, 6> kOrders{
      {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
  for (const auto& order : kOrders) {
    const std::array<Gate, 3> gates;
    Pool pool{{.limit = 3, .minimum = 3}};
    while (pool.status().workers_idle < 3) std::this_thread::yield();
    std::vector<Execution<std::int64_t>> executions;
    for (const Gate& gate : gates) executions.push_back(begun(pool.submit<pid_behind>(gate.path())));
    std::int64_t last = 0;
    for (const std::size_t each : order) {
      gates.at(each).open();
      last = executions.at(each).get();
    }
    for (int i = 0; i < 5; ++i) EXPECT_EQ(pool.submit<own_pid>().get(), last) << order[2];
  }
}

}  // namespace
}  // namespace weft::contract
