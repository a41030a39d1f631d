// What programs look like from outside: this one, and others that only look like it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"
#include "contract/kinds.hpp"
#include "contract/role.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

int halved(int x) { return x / 2; }
struct Burns {
  std::string gate;
  int run() const { return behind(gate, 1); }
};
void burn() {
  const auto end = std::chrono::steady_clock::now() + 20ms;
  while (std::chrono::steady_clock::now() < end) {
  }
}
/// Suspends until its submitter says something.
int listens(TaskScope& scope) { return scope.channel<int, int>().receive(); }
/// Leaves a mark, and waits at the gate.
void initializes_at_gate() {
  std::ofstream{std::getenv("WEFT_TEST_MARK")};
  std::ifstream{std::getenv("WEFT_TEST_GATE")}.get();
}
/// As if its worker were just starting another: that one's lane is called as its own is, and stands before it.
int behind_with_a_lane_to_offer(const std::string& gate) {
  const int lane = ::memfd_create("weft-worker-lane", MFD_ALLOW_SEALING);
  if (::ftruncate(lane, 65536) != 0 || ::dup2(lane, STDIN_FILENO) != STDIN_FILENO) return -1;
  return behind(gate, 3);
}

std::uint64_t counted(const RunTimes& times) {
  return std::accumulate(times.counts.begin(), times.counts.end(), std::uint64_t{0});
}

WorkerLook only_worker(const ProgramLook& program) {
  return program.workers.size() == 1 ? program.workers.front() : WorkerLook{};
}

/// The only worker of this program, once it is as it should be. CTest's own watchdog ends what never gets there.
WorkerLook worker_once(const std::function<bool(const WorkerLook&)>& is_so) {
  for (;;) {
    const ProgramLook program = look_at_program(::getpid());
    if (program.workers.size() == 1 && is_so(program.workers.front())) return program.workers.front();
    std::this_thread::yield();
  }
}

class InspectOf : public testing::TestWithParam<WorkerKind> {
 protected:
  static PoolOptions options() {
    PoolOptions made{.limit = 1};
    made.worker.kind = GetParam();
    return made;
  }
  static bool is_thread() { return GetParam() == WorkerKind::thread; }
};

TEST_P(InspectOf, tells_of_busy_and_parked_workers_and_what_they_have_done) {
  Pool pool{options()};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(pool.submit<halved>(2 * i).get(), i);
  const WorkerLook parked =
      worker_once([](const auto& worker) { return worker.state == WorkerState::parked; });
  EXPECT_EQ(parked.tasks_done, 100U);
  EXPECT_EQ(parked.tasks_in_hand, 0U);
  EXPECT_EQ(parked.task, "");
  EXPECT_EQ(parked.is_thread, is_thread());
  EXPECT_EQ(parked.pid, pool.status().pids.front());
  if (!is_thread()) {
    EXPECT_GT(parked.resident_bytes, 0U);
  }

  const Gate gate;
  auto running = pool.submit<behind>(gate.path(), 5);
  const WorkerLook busy = worker_once([](const auto& worker) { return worker.state == WorkerState::busy; });
  EXPECT_EQ(busy.tasks_in_hand, 1U);
  EXPECT_EQ(busy.task, "weft::contract::behind");
  EXPECT_EQ(busy.tasks_done, 100U);
  gate.open();
  EXPECT_EQ(running.get(), 5);

  auto waiting = pool.submit<listens>();
  const WorkerLook suspended =
      worker_once([](const auto& worker) { return worker.state == WorkerState::waiting; });
  EXPECT_EQ(suspended.tasks_in_hand, 1U);
  EXPECT_NE(suspended.task.find("listens"), std::string::npos) << suspended.task;
  waiting.channel<int, int>().send(8);
  EXPECT_EQ(waiting.get(), 8);
  EXPECT_EQ(worker_once([](const auto& worker) { return worker.state == WorkerState::parked; }).tasks_done,
            102U);
}

TEST_P(InspectOf, tells_how_long_tasks_took) {
  const auto begin = std::chrono::steady_clock::now();
  Pool pool{options()};
  for (int i = 0; i < 300; ++i) EXPECT_EQ(pool.submit<halved>(2 * i).get(), i);
  std::vector<Execution<int>> together;
  for (int i = 0; i < 300; ++i) together.push_back(pool.submit<halved>(2 * i));
  for (auto& each : together) each.wait();
  // Where the worker has seen its ring empty, the clock is read for the next task alone.
  static_cast<void>(worker_once([](const auto& worker) { return worker.state == WorkerState::parked; }));
  pool.submit<burn>().get();
  const WorkerLook parked =
      worker_once([](const auto& worker) { return worker.state == WorkerState::parked; });
  const auto passed = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(parked.tasks_done, 601U);
  EXPECT_EQ(counted(parked.run_times), 601U) << "each is counted, whenever the worker looked at the clock";
  const auto longest = parked.run_times.percentile(100);
  EXPECT_GE(longest, 20ms);
  EXPECT_LE(longest / 2, passed) << "it is in a bucket that begins later";
  EXPECT_GT(parked.run_times.percentile(50), 0ns);
  EXPECT_LE(parked.run_times.percentile(50), longest);
}

TEST_P(InspectOf, does_not_tell_how_long_a_task_took_that_was_suspended_while_others_ran) {
  PoolOptions two_at_once = options();
  two_at_once.worker.tasks_at_once = 2;
  Pool pool{two_at_once};
  auto alone = pool.submit<listens>();
  alone.channel<int, int>().send(1);
  EXPECT_EQ(alone.get(), 1);
  std::uint64_t done = 1;
  // While tasks are short the worker looks at the clock once for some of them, and else after each.
  for (const bool are_long : {false, true}) {
    if (!are_long) {  // until it takes them for short
      std::vector<Execution<int>> together;
      for (int i = 0; i < 200; ++i) together.push_back(pool.submit<halved>(2));
      for (auto& each : together) each.wait();
      done += 200;
    }
    auto waits = pool.submit<listens>();
    for (int i = 0; i < 3; ++i)
      are_long ? pool.submit<burn>().get() : static_cast<void>(pool.submit<halved>(2).get());
    waits.channel<int, int>().send(8);
    EXPECT_EQ(waits.get(), 8);
    EXPECT_EQ(pool.submit<halved>(2).get(), 1);
    done += 4;
    const WorkerLook parked =
        worker_once([](const auto& worker) { return worker.state == WorkerState::parked; });
    EXPECT_EQ(counted(parked.run_times), done);
    EXPECT_EQ(parked.tasks_done, done + (are_long ? 2 : 1));
  }
}

TEST_P(InspectOf, tells_a_worker_that_starts_from_one_that_is_ready) {
  const Gate gate;
  const std::string mark = testing::TempDir() + "weft-starts-" + std::to_string(::getpid());
  std::filesystem::remove(mark);
  ::setenv("WEFT_TEST_GATE", gate.path().c_str(), 1);
  ::setenv("WEFT_TEST_MARK", mark.c_str(), 1);
  PoolOptions with_initializer = options();
  with_initializer.worker.initializer = initializer<initializes_at_gate>;
  Pool pool{with_initializer};
  auto task = pool.submit<halved>(4);
  while (!std::filesystem::exists(mark)) std::this_thread::yield();
  const ProgramLook program = look_at_program(::getpid());
  EXPECT_EQ(program.workers.size(), 1U);
  EXPECT_EQ(only_worker(program).state, WorkerState::starting);
  EXPECT_EQ(program.problem, "");
  gate.open();
  EXPECT_EQ(task.get(), 2);
  worker_once([](const auto& worker) { return worker.state == WorkerState::parked; });
  std::filesystem::remove(mark);
}

INSTANTIATE_TEST_SUITE_P(Kinds, InspectOf, testing::Values(WorkerKind::exec, WorkerKind::thread), kKindNamed);

TEST(Inspect, names_aggregates_and_lambdas) {
  Pool pool{{.limit = 1}};
  const Gate gate;
  auto aggregate = pool.submit(Burns{gate.path()});
  const auto is_busy = [](const WorkerLook& worker) { return worker.state == WorkerState::busy; };
  EXPECT_NE(worker_once(is_busy).task.find("Burns"), std::string::npos);
  gate.open();
  aggregate.wait();
  const Gate other;
  auto lambda = pool.submit([](const std::string& path) { return behind(path, 2); }, other.path());
  const std::string name = worker_once([&](const WorkerLook& worker) {
                             return worker.state == WorkerState::busy && worker.tasks_done == 1;
                           }).task;
  EXPECT_NE(name.find("lambda"), std::string::npos) << name;
  other.open();
  EXPECT_EQ(lambda.get(), 2);
}

TEST(Inspect, tells_a_workers_own_lane_from_those_that_it_offers) {
  Pool pool{{.limit = 1}};
  const Gate gate;
  auto running = pool.submit<behind_with_a_lane_to_offer>(gate.path());
  worker_once([](const auto& worker) { return worker.state == WorkerState::busy; });
  const auto offers = [](std::int64_t pid) {
    std::error_code none;
    const auto input = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/0", none);
    return input.string().find("weft-worker-lane") != std::string::npos;
  };
  while (!offers(pool.status().pids.front())) std::this_thread::yield();
  const ProgramLook program = look_at_program(::getpid());
  EXPECT_EQ(only_worker(program).state, WorkerState::busy);
  EXPECT_EQ(program.problem, "");
  gate.open();
  EXPECT_EQ(running.get(), 3);
}

TEST(Inspect, tells_a_zygote_from_its_copies) {
  PoolOptions options{.limit = 1};
  options.worker.kind = WorkerKind::zygote;
  Pool pool{options};
  EXPECT_EQ(pool.submit<halved>(4).get(), 2);
  const ProgramLook program = look_at_program(::getpid());
  ASSERT_EQ(program.workers.size(), 2U);
  EXPECT_EQ(std::count_if(program.workers.begin(), program.workers.end(),
                          [](const auto& worker) { return worker.state == WorkerState::zygote; }),
            1);
  EXPECT_EQ(std::count_if(program.workers.begin(), program.workers.end(),
                          [](const auto& worker) { return worker.tasks_done == 1; }),
            1);
}

TEST(Inspect, finds_this_program_among_all) {
  const Pool pool{{.limit = 1}};
  const std::vector<ProgramLook> programs = look_at_programs();
  const auto own = std::find_if(programs.begin(), programs.end(),
                                [](const auto& program) { return program.pid == ::getpid(); });
  ASSERT_NE(own, programs.end());
  EXPECT_EQ(own->pools, 1U);
  EXPECT_TRUE(own->workers.empty());
  EXPECT_EQ(own->problem, "");
  EXPECT_GT(own->resident_bytes, 0U);
}

template <class Failure>
void refuses(std::int64_t pid, const std::string& words) {
  try {
    static_cast<void>(look_at_program(pid));
    ADD_FAILURE() << "looked at " << pid;
  } catch (const Failure& failure) {
    EXPECT_NE(std::string{failure.what()}.find(words), std::string::npos) << failure.what();
  }
}

TEST(Inspect, says_why_it_cannot) {
  refuses<ArgumentError>(0, "there is no process 0");
  refuses<ArgumentError>(-7, "there is no process -7");
  refuses<ArgumentError>(std::int64_t{1} << 40, "there is no process");
  refuses<ArgumentError>(::getpid(), "has no pool of weft's");
  const Worker worker;
  while (worker.pid() == 0) std::this_thread::yield();
  refuses<ArgumentError>(worker.pid(), "is a worker of process " + std::to_string(::getpid()));
}

TEST(RunTimesSeen, give_the_end_of_the_bucket_that_a_percentile_falls_into) {
  RunTimes times;
  EXPECT_EQ(times.percentile(50), 0ns);
  times.counts[0] = 50;
  times.counts[4] = 49;
  times.counts[20] = 1;
  EXPECT_EQ(times.percentile(-1), 64ns);
  EXPECT_EQ(times.percentile(50), 64ns);
  EXPECT_EQ(times.percentile(51), 1024ns);
  EXPECT_EQ(times.percentile(99), 1024ns);
  EXPECT_EQ(times.percentile(99.5), std::chrono::nanoseconds{1 << 26});
  EXPECT_EQ(times.percentile(200), std::chrono::nanoseconds{1 << 26});
  RunTimes longest;
  longest.counts[31] = 1;
  EXPECT_EQ(longest.percentile(0), std::chrono::nanoseconds{std::int64_t{1} << 36}) << "its end is not known";
  times += longest;
  times += times;
  EXPECT_EQ(times.counts[0], 100U);
  EXPECT_EQ(times.counts[31], 2U);
}

// What only looks like a program of weft's.

/// The header of a lane, and counters behind it, as schemas/README.md has them.
struct Header {
  std::uint64_t magic = 0x314e'4c54'4645'5700;
  std::uint32_t layout_version = 3;
  std::uint32_t owner_pid = 0;
  std::uint64_t lane_bytes = 512 + 16384 + 8 * 64;
  std::uint32_t ring_lines = 8;
  std::uint32_t flags = 0;
  std::uint64_t ring_offset = 512 + 16384;
  std::uint64_t black_box_offset = 512;
  std::uint64_t black_box_bytes = 16384;
  std::uint64_t reserved = 0;
  std::uint64_t counters[56] = {};
};
constexpr std::size_t kBytes = 20480;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

class Region {
 public:
  Region(const char* name, const std::string& content, std::size_t bytes = kBytes, int seals = kSeals)
      : number_{::memfd_create(name, MFD_ALLOW_SEALING)} {
    std::string whole = content;
    whole.resize(bytes);
    EXPECT_EQ(::write(number_, whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
    EXPECT_TRUE(seals == 0 || ::fcntl(number_, F_ADD_SEALS, seals) == 0);
  }
  ~Region() { ::close(number_); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

 private:
  int number_;
};

std::string bytes_of(const Header& header) { return {reinterpret_cast<const char*>(&header), sizeof header}; }

Header own_header() {
  Header header;
  header.owner_pid = static_cast<std::uint32_t>(::getpid());
  return header;
}

TEST(Inspect, does_not_trust_lanes) {
  const Region board{"weft-board", ""};
  Header wrong_sizes = own_header();
  wrong_sizes.ring_lines = 1U << 24;
  Header far_black_box = own_header();
  far_black_box.black_box_bytes = ~std::uint64_t{0} & ~std::uint64_t{63};
  const std::string noise(kBytes, '\xa5');
  struct Case {
    std::string content;
    std::size_t bytes;
    int seals;
    const char* words;
  };
  for (const Case& each : {Case{noise, kBytes, kSeals, "magic"}, Case{"", 0, kSeals, "bytes"},
                           Case{"x", 1, kSeals, "bytes"}, Case{bytes_of(own_header()), 4096, kSeals, "sizes"},
                           Case{bytes_of(wrong_sizes), kBytes, kSeals, "sizes"},
                           Case{bytes_of(far_black_box), kBytes, kSeals, "sizes"},
                           Case{bytes_of(own_header()), kBytes, 0, "seals"}}) {
    const Region lane{"weft-parent-lane", each.content, each.bytes, each.seals};
    const ProgramLook program = look_at_program(::getpid());
    EXPECT_NE(program.problem.find(each.words), std::string::npos) << program.problem;
    EXPECT_TRUE(program.workers.empty());
  }
}

TEST(Inspect, takes_lanes_that_nobody_has_written_yet_for_those_of_workers_that_start) {
  const Region board{"weft-board", ""};
  for (const int seals : {0, kSeals}) {
    const Region parents{"weft-parent-lane", "", kBytes, seals};
    const Region threads{"weft-thread-lane", "", kBytes, seals};
    const ProgramLook program = look_at_program(::getpid());
    EXPECT_EQ(program.problem, "");
    ASSERT_EQ(program.workers.size(), 1U);
    EXPECT_EQ(program.workers.front().state, WorkerState::starting);
  }
}

TEST(Inspect, says_that_a_program_has_another_layout) {
  const Region board{"weft-board", ""};
  Header other = own_header();
  other.layout_version = 77;
  const Region lane{"weft-parent-lane", bytes_of(other)};
  refuses<Incompatible>(::getpid(), "77");
  const std::vector<ProgramLook> all = look_at_programs();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const auto& program) {
    return program.pid == ::getpid() && program.problem.find("77") != std::string::npos;
  }));
}

TEST(Inspect, leaves_out_who_only_inherited_a_program) {
  const Region board{"weft-board", ""};
  Header parents = own_header();
  ++parents.owner_pid;
  const Region lane{"weft-parent-lane", bytes_of(parents)};
  refuses<ArgumentError>(::getpid(), "has no pool of weft's");
}

TEST(Inspect, shows_what_a_lying_thread_says_and_no_more) {
  const Region board{"weft-board", ""};
  Header liar = own_header();
  for (std::uint64_t& each : liar.counters) each = ~std::uint64_t{0};
  std::string content = bytes_of(liar);
  content.resize(kBytes, '\xff');
  const Region lane{"weft-thread-lane", content};
  const WorkerLook worker = only_worker(look_at_program(::getpid()));
  EXPECT_EQ(worker.tasks_done, ~std::uint64_t{0});
  EXPECT_EQ(worker.task, "");
  RunTimes times = worker.run_times;
  times += worker.run_times;
  for (const std::uint64_t each : times.counts) EXPECT_EQ(each, ~std::uint64_t{0});
  EXPECT_EQ(times.percentile(100), std::chrono::nanoseconds{std::int64_t{1} << 36});
}

const Role waits{"waits_to_be_killed", [](const Role::Arguments&) { ::pause(); }};

/// A process that was started as a worker is, and has `lane`.
TEST(Inspect, does_not_trust_what_calls_itself_a_worker) {
  const Region board{"weft-board", ""};
  const Region lane{"weft-worker-lane", std::string(kBytes, 'x')};
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<std::string> arguments{program, "--weft-worker", "--role", "waits_to_be_killed"};
  std::vector<char*> pointers;
  for (std::string& each : arguments) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  pid_t pid = 0;
  ASSERT_EQ(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, pointers.data(), environ), 0);
  const ProgramLook look = look_at_program(::getpid());
  ASSERT_EQ(look.workers.size(), 1U);
  EXPECT_EQ(look.workers.front().pid, pid);
  EXPECT_EQ(look.workers.front().state, WorkerState::starting);
  EXPECT_NE(look.problem.find("magic"), std::string::npos) << look.problem;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  EXPECT_TRUE(look_at_program(::getpid()).workers.empty());
}

}  // namespace
}  // namespace weft::contract
