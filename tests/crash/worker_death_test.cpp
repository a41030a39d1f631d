// A worker is killed at each of the named failure points. Whatever the point: every execution settles once, at most the
// task that had begun there fails, no task runs twice, and the pool goes on.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "crash/failure_points.hpp"
#include "crash/scratch.hpp"

extern char** environ;

namespace weft::crash {
namespace {

using namespace std::chrono_literals;

/// What the death may cost.
enum class Cost {
  nothing,    ///< no task had begun there
  one_start,  ///< one submission fails with StartFailed
  one_task,   ///< the one that had begun
};

struct Point {
  const char* name;
  Cost cost;
  std::vector<int> passes;  ///< at which of its passes the process dies
};

const std::vector<Point> kPoints{
    {"worker.handshake.after_hello", Cost::one_start, {1}},
    {"worker.handshake.before_ready", Cost::one_start, {1}},
    {"worker.handshake.after_ready", Cost::nothing, {1}},
    {"ring.claim.stored", Cost::nothing, {1, 2, 5, 30}},
    {"ring.begin.begun", Cost::one_task, {1, 2, 5, 30}},
    {"worker.task.before_run", Cost::one_task, {1, 2, 5, 30}},
    {"exchange.borrow.resolved", Cost::one_task, {1, 2, 5}},
    {"exchange.lend.after_chunk", Cost::one_task, {1}},
    {"exchange.lend.lent", Cost::one_task, {1, 2, 5}},
    {"exchange.returns.taken", Cost::one_task, {1, 2}},
    {"worker.reply.before", Cost::one_task, {1, 2, 5, 30}},
    {"ring.commit.before_publish", Cost::one_task, {1, 2, 5, 30}},
    {"ring.commit.zeroed_next", Cost::one_task, {1, 2, 5, 30}},
    {"ring.commit.after_publish", Cost::one_task, {1, 2, 5, 30}},
    {"worker.reply.after", Cost::one_task, {1, 2, 5, 30}},
    {"worker.leave", Cost::nothing, {1}},
    {"zygote.fork.before", Cost::one_start, {1}},
    {"zygote.fork.after", Cost::nothing, {1}},  // the worker that it has made is found all the same
};

struct Death {
  Point point;
  int pass;
};

/// Notes that task `number` runs: one byte at its place. An append would not tell who it was.
void note_run(const std::string& file, int number) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  static_cast<void>(::write(fd, &number, sizeof number));
  ::close(fd);
}

int small(const std::string& file, int number) {
  note_run(file, number);
  return number + 1;
}
Buffer with_buffer(const std::string& file, int number, const Buffer& bytes) {
  note_run(file, number);
  Buffer made{bytes.size()};
  std::memcpy(made.writable().data(), bytes.data(), bytes.size());
  return made;
}

class Tally {
 public:
  explicit Tally(std::size_t count) : settled_(count), what_(count) {}
  template <class R>
  void watch(Execution<R>& execution, std::size_t index) {
    execution.then([this, index](auto&&...) { ++settled_[index]; });
    execution.fail([this, index](const std::exception&) { ++settled_[index]; });
  }
  std::vector<std::atomic<int>> settled_;
  std::vector<std::string> what_;
};

template <class R>
std::string result_of(Execution<R>& execution, const std::function<bool(const R&)>& right) {
  try {
    return right(execution.get()) ? "value" : "wrong value";
  } catch (const WorkerCrashed&) {
    return "crashed";
  } catch (const StartFailed&) {
    return "start";
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::vector<int> runs_in(const std::string& file, std::size_t count) {
  std::vector<int> runs(count);
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  int number = 0;
  while (::read(fd, &number, sizeof number) == static_cast<ssize_t>(sizeof number))
    ++runs.at(static_cast<std::size_t>(number));
  ::close(fd);
  return runs;
}

PoolOptions options_for(const Death& death, const Scratch& scratch, std::size_t limit) {
  PoolOptions options;
  options.limit = limit;
  if (std::string_view{death.point.name}.starts_with("zygote.")) options.worker.kind = WorkerKind::zygote;
  auto& environment = options.worker.environment.emplace();
  environment.push_back(std::string{"WEFT_DIE_AT="} + death.point.name + ":" + std::to_string(death.pass));
  environment.push_back("WEFT_DIE_MARK=" + scratch.file("died"));
  for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
  return options;
}

class WorkerDeath : public testing::TestWithParam<Death> {
 protected:
  void work_through(std::size_t limit);
};

void WorkerDeath::work_through(std::size_t limit) {
  constexpr std::size_t kSmall = 120;
  constexpr std::size_t kAll = kSmall + 24;
  const Scratch scratch;
  const std::string runs = scratch.file("runs");
  ::close(::open(runs.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  Tally tally{kAll};
  {
    Pool pool{options_for(GetParam(), scratch, limit)};
    std::vector<Execution<int>> numbers;
    std::vector<Execution<Buffer>> buffers;
    const Buffer payload = Buffer::copy_of(std::string(100'000, 'w'));
    for (std::size_t i = 0; i < kAll; ++i) {
      // One in six with buffers, so that all points are met early and late.
      if (i % 6 == 5) {
        buffers.push_back(pool.submit<with_buffer>(runs, static_cast<int>(i), payload));
        tally.watch(buffers.back(), i);
      } else {
        numbers.push_back(pool.submit<small>(runs, static_cast<int>(i)));
        tally.watch(numbers.back(), i);
      }
    }
    std::size_t number = 0;
    std::size_t buffer = 0;
    for (std::size_t i = 0; i < kAll; ++i) {
      if (i % 6 == 5) {
        tally.what_[i] = result_of<Buffer>(buffers[buffer++],
                                           [&](const Buffer& got) { return got.text() == payload.text(); });
      } else {
        tally.what_[i] =
            result_of<int>(numbers[number++], [&](int got) { return got == static_cast<int>(i) + 1; });
      }
    }
    EXPECT_EQ(pool.submit([](int x) { return x; }, 7).get(), 7) << "the pool goes on";
    pool.shutdown();
    EXPECT_TRUE(pool.status().pids.empty());
  }
  // A callback may still be under way on the thread that settled its execution.
  for (const auto& each : tally.settled_) {
    while (each == 0) std::this_thread::yield();
  }
  EXPECT_TRUE(scratch.has("died")) << "nobody came to the point";
  const auto count = [&](const char* what) {
    return std::count(tally.what_.begin(), tally.what_.end(), what);
  };
  EXPECT_EQ(count("value") + count("crashed") + count("start"), static_cast<std::ptrdiff_t>(kAll))
      << testing::PrintToString(tally.what_);
  EXPECT_LE(count("crashed"), GetParam().point.cost == Cost::one_task ? 1 : 0);
  EXPECT_EQ(count("start"), GetParam().point.cost == Cost::one_start ? 1 : 0);
  const std::vector<int> ran = runs_in(runs, kAll);
  for (std::size_t i = 0; i < kAll; ++i) {
    EXPECT_EQ(tally.settled_[i], 1) << i;
    EXPECT_LE(ran[i], 1) << "task " << i << " ran twice";
    if (tally.what_[i] == "value") {
      EXPECT_EQ(ran[i], 1) << i;
    }
  }
}

TEST_P(WorkerDeath, costs_what_had_begun_and_nothing_else) { work_through(1); }
TEST_P(WorkerDeath, costs_what_had_begun_and_nothing_else_beside_another_worker) { work_through(2); }

std::vector<Death> deaths() {
  std::vector<Death> all;
  for (const Point& point : kPoints) {
    for (const int pass : point.passes) all.push_back({point, pass});
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Death>& info) {
  std::string name = std::string{info.param.point.name} + "_" + std::to_string(info.param.pass);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(At, WorkerDeath, testing::ValuesIn(deaths()), name_of);

TEST(FailurePoints, are_all_tried) {
  // Only where frames are taken back do workers come here; the parent's side is in parent_death_test.cpp, and what tasks do
  // beside what they give in talk_death_test.cpp.
  const std::vector<std::string> elsewhere{"worker.returned.before"};
  std::vector<std::string> mine = elsewhere;
  for (const Point& point : kPoints) mine.emplace_back(point.name);
  for (const std::string& name : points_in(WEFT_SOURCE_FOLDER)) {
    if (name.starts_with("parent.") || name == "ring.take_back.withdrawn" || is_of_talk(name)) continue;
    EXPECT_NE(std::find(mine.begin(), mine.end(), name), mine.end())
        << name << " is in the sources and in no test";
  }
}

int identity(int number) { return number; }
int nap(const std::string& file, int number, int ms) {
  note_run(file, number);
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
  return number + 1;
}

TEST(DeathOfAReturner, while_it_says_that_a_task_was_taken_back_in_time_costs_nothing) {
  const Scratch scratch;
  const std::string runs = scratch.file("runs");
  ::close(::open(runs.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  Pool pool{options_for({{"worker.returned.before", Cost::nothing, {1}}, 1}, scratch, 1)};
  // Short tasks first, so that several are sent at once; then a long one, and one behind it that is called off.
  for (int i = 0; i < 200; ++i) EXPECT_EQ(pool.submit<identity>(i).get(), i);
  int round = 0;
  std::vector<Execution<int>> kept;
  while (!scratch.has("died")) {
    auto slow = pool.submit<nap>(runs, round++, 20);
    auto behind = pool.submit<nap>(runs, round++, 0);
    auto last = pool.submit<nap>(runs, round++, 0);
    static_cast<void>(behind.cancel());
    EXPECT_EQ(slow.get(), round - 2);
    EXPECT_EQ(last.get(), round);
    ASSERT_LT(round, 3000) << "no frame was ever taken back";
    for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.submit<identity>(i).get(), i);
  }
  EXPECT_EQ(pool.submit<identity>(3).get(), 3);
  pool.shutdown();
  for (const int ran : runs_in(runs, 3000)) EXPECT_LE(ran, 1);
}

}  // namespace
}  // namespace weft::crash
