// What workers of each kind share with the program and among themselves: locks, parcels, barriers, open files.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/kinds.hpp"
#include "contract/shared_tasks.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

class Sharing : public testing::TestWithParam<WorkerKind> {
 protected:
  [[nodiscard]] static PoolOptions options(std::size_t limit, std::size_t tasks_at_once = 0) {
    PoolOptions all{.limit = limit};
    all.worker.kind = GetParam();
    all.worker.tasks_at_once = tasks_at_once;
    return all;
  }
};
/// Of workers that run while their submitter waits.
class SharingBeside : public Sharing {};
class SharingApart : public Sharing {};
INSTANTIATE_TEST_SUITE_P(By, Sharing, testing::ValuesIn(kAllKinds), kKindNamed);
INSTANTIATE_TEST_SUITE_P(By, SharingBeside, testing::ValuesIn(kKindsBeside), kKindNamed);
INSTANTIATE_TEST_SUITE_P(By, SharingApart, testing::ValuesIn(kKindsApart), kKindNamed);

TEST_P(Sharing, keeps_workers_and_the_program_apart) {
  Pool pool{options(2)};
  Parcel<Twins> twins;
  shared::Mutex mutex;
  shared::KeyedSemaphore permits{2};
  std::vector<Execution<void>> executions;
  for (int task = 0; task < 4; ++task) executions.push_back(pool.submit<count_up>(twins, mutex, permits));
  count_up(twins, mutex, permits);
  for (auto& each : executions) each.get();
  EXPECT_EQ(twins.unwrap().one, 5U * kRounds);
  EXPECT_EQ(twins.unwrap().other, 5U * kRounds);
  pool.shutdown();
}

TEST_P(Sharing, brings_back_the_object_that_went) {
  Pool pool{options(1)};
  shared::Mutex mutex;
  const std::lock_guard guard{mutex};
  auto back = pool.submit([](shared::Mutex its) { return its; }, mutex).get();
  EXPECT_FALSE(back.try_lock());
}

TEST_P(Sharing, keeps_a_rate_for_all_together) {
  Pool pool{options(2)};
  shared::RateLimit rate{3, 1h};
  std::vector<Execution<bool>> turns;
  for (int i = 0; i < 4; ++i)
    turns.push_back(pool.submit([](shared::RateLimit its) { return its.try_acquire(); }, rate));
  int had = rate.try_acquire() ? 1 : 0;
  for (auto& each : turns) had += each.get() ? 1 : 0;
  EXPECT_EQ(had, 3);
}

TEST_P(SharingBeside, lets_several_tasks_of_a_worker_wait_at_a_barrier) {
  Pool pool{options(1, 4)};
  shared::Barrier barrier{5};
  std::vector<Execution<void>> executions;
  for (int task = 0; task < 4; ++task) {
    executions.push_back(pool.submit(
        [](shared::Barrier its) {
          for (int round = 0; round < 50; ++round) its.arrive_and_wait();
        },
        barrier));
  }
  for (int round = 0; round < 50; ++round) barrier.arrive_and_wait();
  for (auto& each : executions) each.get();
}

TEST_P(SharingBeside, gives_up_at_a_deadline_and_goes_on) {
  Pool pool{options(1)};
  shared::Mutex mutex;
  std::unique_lock lock{mutex};
  const auto within_5_ms = [](shared::Mutex its) {
    const std::unique_lock guard{its, 5ms};
    return guard.owns_lock();
  };
  EXPECT_FALSE(pool.submit(within_5_ms, mutex).get());
  lock.unlock();
  EXPECT_TRUE(pool.submit(within_5_ms, mutex).get());
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST_P(SharingApart, tells_who_waits_that_it_is_gone) {
  Pool pool{options(1)};
  shared::Barrier met{2};
  Execution<bool> told;
  {
    shared::Barrier never{2};
    told = pool.submit(
        [](shared::Barrier its, shared::Barrier meeting) {
          meeting.arrive_and_wait();
          try {
            its.arrive_and_wait();
            return false;
          } catch (const Closed&) {
            return true;
          }
        },
        never, met);
    met.arrive_and_wait();
  }
  EXPECT_TRUE(told.get());
}

TEST_P(SharingApart, passes_on_what_a_dead_worker_had) {
  Pool pool{options(1)};
  shared::Mutex mutex;
  Parcel<int> parcel{1};
  EXPECT_THROW(pool.submit(
                       [](shared::Mutex its, Parcel<int> value) {
                         its.lock();
                         value.synchronized([](int& number) {
                           number = 2;
                           ::raise(SIGKILL);
                         });
                       },
                       mutex, parcel)
                   .get(),
               WorkerCrashed);
  EXPECT_EQ(parcel.unwrap(), 1);
  EXPECT_TRUE(pool.submit(
                      [](shared::Mutex its) {
                        const std::lock_guard guard{its};
                        return its.was_abandoned();
                      },
                      mutex)
                  .get());
}

// Open files.

std::int64_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
}

/// A pipe that has `text` in it.
Descriptor holding(const std::string& text) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  Descriptor out{ends[0]};
  const Descriptor in{ends[1]};
  if (::write(in.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
  return out;
}

std::string read_from(const Descriptor& from) {
  std::array<char, 64> text{};
  const ssize_t count = ::read(from.get(), text.data(), text.size());
  return {text.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

std::vector<Descriptor> next_ones(const std::vector<Descriptor>& files) {
  std::vector<Descriptor> next;
  for (const auto& each : files) next.push_back(each ? holding(read_from(each) + "!") : Descriptor{});
  return next;
}

TEST_P(Sharing, sends_open_files_there_and_back) {
  Pool pool{options(2)};
  pool.submit([] {}).get();
  const auto round = [&] {
    std::vector<Execution<std::vector<Descriptor>>> executions;
    for (int task = 0; task < 20; ++task) {
      const std::string text = std::to_string(task);
      executions.push_back(
          pool.submit<next_ones>(std::vector{holding(text), Descriptor{}, holding(text + "b")}));
    }
    for (int task = 0; task < 20; ++task) {
      const auto files = executions[static_cast<std::size_t>(task)].get();
      ASSERT_EQ(files.size(), 3U);
      EXPECT_EQ(read_from(files[0]), std::to_string(task) + "!");
      EXPECT_FALSE(files[1]);
      EXPECT_EQ(read_from(files[2]), std::to_string(task) + "b!");
    }
  };
  round();
  pool.wait_idle();
  // The next rounds need no more of them. A worker may close what it was sent when it has answered.
  const std::int64_t after_one = open_descriptors() + 8;
  for (int i = 0; i < 10; ++i) round();
  while (open_descriptors() > after_one) std::this_thread::yield();
}

TEST_P(SharingBeside, sends_open_files_over_channels) {
  Pool pool{options(1)};
  auto execution = pool.submit([](TaskScope& scope) {
    auto parent = scope.channel<Descriptor, Descriptor>();
    try {
      for (;;) parent.send(holding(read_from(parent.receive()) + "!"));
    } catch (const Closed&) {
    }
  });
  auto channel = execution.channel<Descriptor, Descriptor>();
  for (int i = 0; i < 200; ++i) {
    channel.send(holding(std::to_string(i)));
    EXPECT_EQ(read_from(channel.receive()), std::to_string(i) + "!");
  }
  channel.close();
  execution.get();
}

}  // namespace
}  // namespace weft::contract
