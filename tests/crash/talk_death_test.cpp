// A worker is killed at each failure point of what tasks do beside what they give: channels, descriptors, shared objects.
// Whatever the point: what has come is right and in order, who waits is told, and what the dead one held passes on.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "crash/failure_points.hpp"
#include "crash/scratch.hpp"

extern char** environ;

namespace weft::crash {
namespace {

struct Death {
  std::string point;
  int pass;
  WorkerKind kind;
};

struct Point {
  const char* name;
  std::vector<int> passes;  ///< at which of its passes the process dies
};

const std::vector<Point> kChannelPoints{
    {"channel.open.sent", {1, 2}},
    {"channel.value.written", {1, 2, 70}},
    {"channel.value.delivered", {1, 2, 70}},
    {"channel.note.written", {1, 3}},
};
const std::vector<Point> kFilePoints{
    {"files.sent", {1, 2, 5}},
    {"files.taken", {1, 2, 9}},
};
const std::vector<Point> kSharedPoints{
    {"shared.ask.sent", {1, 2, 3, 4, 5, 6, 30}},
    {"shared.answer.read", {1, 2, 3, 4, 30}},
};
// Where only the parent comes (parent_death_test.cpp).
const std::vector<std::string> kOfParents{"channel.open.taken", "shared.ask.read", "shared.answer.before"};

std::vector<Death> deaths(const std::vector<Point>& points) {
  std::vector<Death> all;
  for (const Point& point : points) {
    for (const int pass : point.passes) {
      for (const WorkerKind kind : {WorkerKind::exec, WorkerKind::zygote})
        all.push_back({point.name, pass, kind});
    }
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Death>& each) {
  std::string name = each.param.point + "_" + std::to_string(each.param.pass) +
                     (each.param.kind == WorkerKind::exec ? "_exec" : "_zygote");
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

class TalkDeath : public testing::TestWithParam<Death> {
 protected:
  static constexpr int kTasks = 20;  // so that one of the two workers comes to each point

  [[nodiscard]] PoolOptions options() const {
    PoolOptions options{.limit = 2};
    options.worker.kind = GetParam().kind;
    auto& environment = options.worker.environment.emplace();
    environment.push_back("WEFT_DIE_AT=" + GetParam().point + ":" + std::to_string(GetParam().pass));
    environment.push_back("WEFT_DIE_MARK=" + scratch_.file("died"));
    for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
    return options;
  }
  /// False where its worker died; anything else that it threw is a failure of the test.
  template <class R>
  bool gave(Execution<R>& execution, const R& right) {
    try {
      EXPECT_EQ(execution.get(), right);
      return true;
    } catch (const WorkerCrashed&) {
      return false;
    }
  }
  void expect_that_one_died(Pool& pool) {
    EXPECT_TRUE(scratch_.has("died")) << "nobody came to the point";
    EXPECT_EQ(pool.status().workers_lost, 1U);
    EXPECT_EQ(pool.submit([](int x) { return x; }, 7).get(), 7) << "the pool goes on";
  }

 private:
  Scratch scratch_;
};

class ChannelDeath : public TalkDeath {};

int send_back(TaskScope& scope) {
  auto parent = scope.channel<int, int>();
  int count = 0;
  try {
    for (;; ++count) parent.send(parent.receive());
  } catch (const Closed&) {
  }
  return count;
}

TEST_P(ChannelDeath, loses_nothing_that_had_come_and_closes_the_rest) {
  constexpr int kValues = 200;
  Pool pool{options()};
  int died = 0;
  for (int task = 0; task < kTasks; ++task) {
    auto execution = pool.submit<send_back>();
    auto channel = execution.channel<int, int>();
    int came = 0;
    const auto receive_next = [&] {
      const int value = channel.receive();
      EXPECT_EQ(value, came++);
    };
    try {
      // Some ahead of their answers, so that credit goes to and fro.
      int sent = 0;
      while (came < kValues) {
        for (; sent < kValues && sent < came + 40; ++sent) channel.send(sent);
        receive_next();
      }
    } catch (const Closed&) {  // where it was send() that told, more can be received
      try {
        for (;;) receive_next();
      } catch (const Closed&) {
      }
    }
    channel.close();
    const bool ended = gave(execution, kValues);
    if (ended) {
      EXPECT_EQ(came, kValues);
    }
    died += ended ? 0 : 1;
  }
  EXPECT_LE(died, 1);
  expect_that_one_died(pool);
}

INSTANTIATE_TEST_SUITE_P(At, ChannelDeath, testing::ValuesIn(deaths(kChannelPoints)), name_of);

class FilesDeath : public TalkDeath {};

/// A pipe that has `number` in it.
Descriptor holding(int number) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  Descriptor out{ends[0]};
  const Descriptor in{ends[1]};
  if (::write(in.get(), &number, sizeof number) != sizeof number) std::abort();
  return out;
}
int number_in(const Descriptor& file) {
  int number = -1;
  static_cast<void>(::read(file.get(), &number, sizeof number));
  return number;
}
std::vector<Descriptor> next_ones(const std::vector<Descriptor>& files) {
  std::vector<Descriptor> next;
  for (const Descriptor& each : files) next.push_back(holding(number_in(each) + 1));
  return next;
}
std::int64_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
}

TEST_P(FilesDeath, mixes_up_no_files_and_keeps_none) {
  {
    Pool first{{.limit = 1}};  // the attendant's descriptors stay
    first.submit([] {}).get();
    first.shutdown();
  }
  const std::int64_t before = open_descriptors();
  {
    Pool pool{options()};
    std::vector<Execution<std::vector<Descriptor>>> executions;
    for (int task = 0; task < kTasks; ++task)
      executions.push_back(pool.submit<next_ones>(std::vector{holding(task), holding(task + 100)}));
    int died = 0;
    for (int task = 0; task < kTasks; ++task) {
      try {
        const auto files = executions[static_cast<std::size_t>(task)].get();
        ASSERT_EQ(files.size(), 2U);
        EXPECT_EQ(number_in(files[0]), task + 1);
        EXPECT_EQ(number_in(files[1]), task + 101);
      } catch (const WorkerCrashed&) {
        ++died;
      }
    }
    EXPECT_LE(died, 1);
    expect_that_one_died(pool);
    executions.clear();
    pool.shutdown();
  }
  // The last of the pool may go on the attendant's thread; the test's time limit is the watchdog for what stays.
  while (open_descriptors() > before) std::this_thread::yield();
}

INSTANTIATE_TEST_SUITE_P(At, FilesDeath, testing::ValuesIn(deaths(kFilePoints)), name_of);

class SharedDeath : public TalkDeath {};

/// Both numbers are always the same where only one at a time has it.
struct Twins {
  int one = 0;
  int other = 0;
};
constexpr int kRounds = 10;
int count_up(Parcel<Twins> twins, shared::Mutex mutex, shared::Semaphore permits) {
  for (int round = 0; round < kRounds; ++round) {
    const auto permit = permits.acquire();
    const std::lock_guard guard{mutex};
    twins.synchronized([](Twins& both) {
      ++both.one;
      ++both.other;
    });
  }
  return kRounds;
}

TEST_P(SharedDeath, passes_on_what_it_held_and_half_changes_nothing) {
  Pool pool{options()};
  Parcel<Twins> twins;
  shared::Mutex mutex;
  shared::Semaphore permits{2};
  std::vector<Execution<int>> executions;
  for (int task = 0; task < kTasks; ++task)
    executions.push_back(pool.submit<count_up>(twins, mutex, permits));
  int ended = 0;
  for (auto& each : executions) ended += gave(each, kRounds) ? 1 : 0;
  EXPECT_GE(ended, kTasks - 1);
  expect_that_one_died(pool);
  // Nothing is held any more.
  const auto all = permits.acquire(2);
  const std::lock_guard guard{mutex};
  const Twins last = twins.unwrap();
  EXPECT_EQ(last.one, last.other);
  EXPECT_GE(last.one, ended * kRounds);
  EXPECT_LE(last.one, kTasks * kRounds);
}

INSTANTIATE_TEST_SUITE_P(At, SharedDeath, testing::ValuesIn(deaths(kSharedPoints)), name_of);

TEST(TalkPoints, are_all_tried) {
  std::vector<std::string> mine = kOfParents;
  for (const auto* const points : {&kChannelPoints, &kFilePoints, &kSharedPoints}) {
    for (const Point& point : *points) mine.emplace_back(point.name);
  }
  for (const std::string& name : points_in(WEFT_SOURCE_FOLDER)) {
    if (!is_of_talk(name)) continue;
    EXPECT_NE(std::find(mine.begin(), mine.end(), name), mine.end())
        << name << " is in the sources and in no test";
  }
}

}  // namespace
}  // namespace weft::crash
