// What is counted: tasks of some kinds, a stage of their way at a time, where nobody waits for anybody. The worker stands
// still in hold() while the parent submits, and the parent reads a pipe while the worker works: so every frame is there
// when it is looked for, and the same instructions run each time.
//
//   subject counts   under callgrind, with --collect-atstart=no: a dump for each round of each stage
//   subject lines    prints the cache lines of shared memory that a task writes

#include <fcntl.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "base/clock.hpp"
#include "budget/lane_lines.hpp"

// Under callgrind a program is some fifty times as slow and the processor's clock is not, so that tasks would look long
// and waiting vain. Linked with --wrap: here a microsecond has so many ticks that no time passes at all.
extern "C" std::uint64_t __wrap__ZN4weft4base12ticks_per_usEv() noexcept { return 100'000'000; }

namespace weft::budget {
namespace {

constexpr std::size_t kTasks = 100;
constexpr int kRounds = 6;
/// Half of a channel's credit: a round holds exactly one frame that gives credit back.
constexpr std::size_t kMessages = 32;

/// One direction of a pipe, which the worker opens by its path.
class Pipe {
 public:
  Pipe() {
    if (::pipe(ends_) != 0) std::abort();
  }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] std::string path(int end) const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ends_[end]);
  }
  void say() const {
    if (::write(ends_[1], "x", 1) != 1) std::abort();
  }
  void hear() const {
    char heard = 0;
    if (::read(ends_[0], &heard, 1) != 1) std::abort();
  }

 private:
  int ends_[2] = {};
};

void dump(const std::string& name) { CALLGRIND_DUMP_STATS_AT(name.c_str()); }

// In the worker.

int to_parent = -1;
int from_parent = -1;

void open_pipes(std::string out, std::string in) {
  to_parent = ::open(out.c_str(), O_WRONLY | O_CLOEXEC);
  from_parent = ::open(in.c_str(), O_RDONLY | O_CLOEXEC);
  if (to_parent < 0 || from_parent < 0) std::abort();
}
void hold() {
  char heard = 0;
  if (::write(to_parent, "x", 1) != 1 || ::read(from_parent, &heard, 1) != 1) std::abort();
}
void begin_counting() { CALLGRIND_TOGGLE_COLLECT; }
void end_counting(std::string name) {
  CALLGRIND_TOGGLE_COLLECT;
  dump(name);
}

int plain(int number) { return number; }
std::string text(std::string some) { return some; }
Buffer buffer(Buffer some) { return some; }

void talk(TaskScope& scope) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  std::uint64_t sum = 0;
  hold();
  for (int round = 0; round < kRounds; ++round) {
    hold();
    CALLGRIND_TOGGLE_COLLECT;
    for (std::size_t i = 0; i < kMessages; ++i) sum += parent.receive();
    CALLGRIND_TOGGLE_COLLECT;
    dump("worker receive message " + std::to_string(kMessages));
    CALLGRIND_TOGGLE_COLLECT;
    for (std::size_t i = 0; i < kMessages; ++i) parent.send(sum);
    CALLGRIND_TOGGLE_COLLECT;
    dump("worker send message " + std::to_string(kMessages));
    hold();
  }
}

// In the parent.

/// A pool of one worker, which takes as many tasks as there are.
class Subject {
 public:
  /// `count` tasks between two that hold the worker; `stage` is what is counted of it. What is there to be counted
  /// twice, with `count` and with twice as many, tells what one task takes.
  template <class Submit>
  void round(std::string_view stage, std::string_view kind, std::size_t count, Submit submit) {
    const std::string what = std::string{stage} + " " + std::string{kind} + " " + std::to_string(count);
    const auto counted = [&](std::string_view part, auto step) {
      const bool counts = part == stage;
      if (counts) CALLGRIND_TOGGLE_COLLECT;
      step();
      if (counts) CALLGRIND_TOGGLE_COLLECT;
    };
    std::vector<decltype(submit())> executions(count);
    auto before = pool.submit<hold>();
    from_worker_.hear();
    const bool in_worker = stage == "work";
    auto begin = in_worker ? pool.submit<begin_counting>() : Execution<void>{};
    counted("submit", [&] {
      for (auto& each : executions) each = submit();
    });
    auto end = in_worker ? pool.submit<end_counting>("worker " + what) : Execution<void>{};
    auto after = pool.submit<hold>();
    to_worker_.say();
    from_worker_.hear();
    counted("get", [&] {
      for (auto& each : executions) static_cast<void>(each.get());
    });
    counted("end", [&] { executions.clear(); });
    if (!in_worker) dump("parent " + what);
    to_worker_.say();
    after.get();
  }

  template <class Submit>
  void rounds(std::string_view kind, Submit submit) {
    for (int i = 0; i < kRounds; ++i) {
      for (const std::string_view stage : {"submit", "work", "get", "end"}) {
        for (const std::size_t count : {kTasks, 2 * kTasks}) round(stage, kind, count, submit);
      }
    }
  }

  /// The cache lines of both lanes that are written while `count` tasks go there and their values come back, and those of
  /// one that holds the worker.
  template <class Submit>
  void lines(std::string_view kind, std::size_t count, Submit submit) {
    std::vector<decltype(submit())> executions(count);
    auto before = pool.submit<hold>();
    from_worker_.hear();
    const LaneLines::State begin = lanes_.state();
    for (auto& each : executions) each = submit();
    auto after = pool.submit<hold>();
    to_worker_.say();
    from_worker_.hear();
    for (auto& each : executions) static_cast<void>(each.get());
    lanes_.print(kind, count, begin);
    to_worker_.say();
    after.get();
  }
  template <class Submit>
  void lines(std::string_view kind, Submit submit) {
    for (int i = 0; i < kRounds; ++i) {
      for (const std::size_t count : {kTasks, 2 * kTasks}) lines(kind, count, submit);
    }
  }

  /// One task at a time: each finds the worker idle and looking, and its value has come when get() looks.
  void one_by_one() {
    for (int i = 0; i < kRounds; ++i) {
      for (const std::string_view stage : {"submit_one", "get_one"}) {
        for (std::size_t task = 0; task < kTasks; ++task) {
          const std::uint64_t done = lanes_.worker_position();
          if (stage == "submit_one") CALLGRIND_TOGGLE_COLLECT;
          auto execution = pool.submit<plain>(1);
          if (stage == "submit_one") CALLGRIND_TOGGLE_COLLECT;
          while (lanes_.worker_position() == done) std::this_thread::yield();
          if (stage == "get_one") CALLGRIND_TOGGLE_COLLECT;
          static_cast<void>(std::move(execution).get());
          if (stage == "get_one") CALLGRIND_TOGGLE_COLLECT;
        }
        dump("parent " + std::string{stage} + " plain " + std::to_string(kTasks));
      }
    }
  }

  void messages() {
    auto talking = pool.submit<talk>();
    auto channel = talking.channel<std::uint64_t, std::uint64_t>();
    from_worker_.hear();
    to_worker_.say();
    for (int round = 0; round < kRounds; ++round) {
      from_worker_.hear();
      CALLGRIND_TOGGLE_COLLECT;
      for (std::size_t i = 0; i < kMessages; ++i) channel.send(i);
      CALLGRIND_TOGGLE_COLLECT;
      dump("parent send message " + std::to_string(kMessages));
      to_worker_.say();
      from_worker_.hear();
      CALLGRIND_TOGGLE_COLLECT;
      for (std::size_t i = 0; i < kMessages; ++i) static_cast<void>(channel.receive());
      CALLGRIND_TOGGLE_COLLECT;
      dump("parent receive message " + std::to_string(kMessages));
      to_worker_.say();
    }
    talking.get();
  }

  // A thread, whose loop and lanes are those of a process: valgrind 3.19 knows no pidfds.
  Pool pool{{.limit = 1, .worker = {.kind = WorkerKind::thread, .tasks_at_once = 512}}};

 private:
  LaneLines look_at_worker() {
    pool.submit<open_pipes>(from_worker_.path(1), to_worker_.path(0)).get();
    // Once round the rings: as long as they are new, there is nothing to be made ready in them.
    for (std::uint32_t i = 0; i < base::kRingLines; ++i) static_cast<void>(pool.submit<plain>(0).get());
    return {};
  }

  Pipe from_worker_;
  Pipe to_worker_;
  LaneLines lanes_ = look_at_worker();
};

/// Items of a map, both sides together: on one thread, since the two would wait for each other.
void items() {
  // A thread, whose loop and lanes are those of a process: valgrind 3.19 knows no pidfds.
  Pool pool{{.limit = 1, .worker = {.kind = WorkerKind::caller}}};
  for (int i = 0; i < kRounds; ++i) {
    for (const std::size_t count : {10 * kTasks, 20 * kTasks}) {
      const std::vector<int> numbers(count, 1);
      CALLGRIND_TOGGLE_COLLECT;
      static_cast<void>(pool.map<plain>(numbers, {.batch = kTasks}));
      CALLGRIND_TOGGLE_COLLECT;
      dump("both map item " + std::to_string(count));
    }
  }
}

/// Calls `use` with the name of each kind of task and what submits one.
template <class Use>
void each_kind(Subject& subject, Use use) {
  use("plain", [&] { return subject.pool.submit<plain>(7); });
  const std::string some(100, 'w');
  use("text", [&] { return subject.pool.submit<text>(some); });
  const Buffer bytes{1U << 20};
  use("buffer", [&] { return subject.pool.submit<buffer>(bytes); });
}

void count_lines() {
  Subject subject;
  each_kind(subject, [&](std::string_view kind, auto submit) { subject.lines(kind, submit); });
}

void count() {
  Subject subject;
  each_kind(subject, [&](std::string_view kind, auto submit) { subject.rounds(kind, submit); });
  subject.one_by_one();
  subject.messages();
  items();
}

}  // namespace
}  // namespace weft::budget

int main(int argc, char** argv) {
  weft::init(argc, argv);
  if (weft::base::ticks_per_us() != __wrap__ZN4weft4base12ticks_per_usEv()) {
    std::fprintf(stderr, "the clock of weft is not the one of this program\n");
    return 1;
  }
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "counts") {
    weft::budget::count();
  } else if (what == "lines") {
    weft::budget::count_lines();
  } else {
    std::fprintf(stderr, "usage: %s counts|lines\n", argv[0]);
    return 2;
  }
}
