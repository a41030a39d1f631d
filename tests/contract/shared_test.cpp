// How a program and its workers wait for each other.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/shared_tasks.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using boost::fibers::fiber;

/// A file with a number in it.
class Number {
 public:
  Number() {
    const int fd = ::mkstemp(path_.data());
    if (fd < 0) std::abort();
    ::close(fd);
    std::ofstream{path_} << 0;
  }
  ~Number() { ::unlink(path_.c_str()); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int get() const {
    int number = -1;
    std::ifstream{path_} >> number;
    return number;
  }

 private:
  std::string path_ = "/tmp/weft-number-XXXXXX";
};

/// Nothing but the mutex keeps two of these apart.
void count_in_file(shared::Mutex mutex, std::string path, int times) {
  for (int i = 0; i < times; ++i) {
    const std::lock_guard guard{mutex};
    int number = 0;
    std::ifstream{path} >> number;
    std::ofstream{path} << number + 1;
  }
}

TEST(SharedMutex, keeps_four_workers_and_the_program_apart) {
  Pool pool{{.limit = 4}};
  shared::Mutex mutex;
  const Number number;
  std::vector<Execution<void>> all;
  for (int worker = 0; worker < 4; ++worker)
    all.push_back(pool.submit<count_in_file>(mutex, number.path(), 250));
  count_in_file(mutex, number.path(), 250);
  for (auto& each : all) each.get();
  EXPECT_EQ(number.get(), 5 * 250);
}

TEST(SharedMutex, keeps_fibers_and_threads_of_one_process_apart) {
  shared::Mutex mutex;
  int inside = 0;
  int count = 0;
  bool alone = true;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        std::vector<fiber> fibers;
        for (int f = 0; f < 4; ++f) {
          fibers.emplace_back([&] {
            for (int i = 0; i < 300; ++i) {
              const std::lock_guard guard{mutex};
              alone = alone && ++inside == 1;
              if (i % 8 == 0) boost::this_fiber::yield();
              ++count;
              --inside;
            }
          });
        }
        for (auto& each : fibers) each.join();
      });
    }
  }
  EXPECT_TRUE(alone);
  EXPECT_EQ(count, 3 * 4 * 300);
}

void note_in_turn(shared::Mutex mutex, Parcel<std::vector<int>> order, int number) {
  const std::lock_guard guard{mutex};
  order.synchronized([&](std::vector<int>& all) { all.push_back(number); });
}
void wait_to_note(shared::Mutex mutex, Parcel<std::vector<int>> order, int number, shared::Barrier met) {
  meet_while_it_waits(met, [&] { note_in_turn(mutex, order, number); });
}

TEST(SharedMutex, goes_to_who_has_waited_longest_wherever_that_is) {
  std::array<Worker, 4> workers;
  shared::Mutex mutex;
  shared::Barrier met{2};
  Parcel<std::vector<int>> order;
  std::unique_lock lock{mutex};
  std::vector<Execution<void>> waiting;
  for (const int number : {2, 0, 3, 1}) {
    waiting.push_back(
        workers[static_cast<std::size_t>(number)].submit<wait_to_note>(mutex, order, number, met));
    met.arrive_and_wait();
  }
  lock.unlock();
  // It is the first one's already.
  EXPECT_FALSE(mutex.try_lock());
  for (auto& each : waiting) each.get();
  EXPECT_EQ(order.unwrap(), (std::vector{2, 0, 3, 1}));
}

TEST(SharedMutex, is_had_by_many_fibers_of_one_worker_in_turn) {
  Worker worker;
  shared::Mutex mutex;
  shared::Barrier met{2};
  Parcel<std::vector<int>> order;
  std::unique_lock lock{mutex};
  auto waiting = worker.submit(
      [](shared::Mutex its, Parcel<std::vector<int>> numbers, shared::Barrier meeting) {
        meet_while_it_waits(meeting, [&] {
          std::vector<fiber> fibers;
          for (int i = 0; i < 500; ++i) {
            fibers.emplace_back(boost::fibers::launch::dispatch, [&, i] { note_in_turn(its, numbers, i); });
          }
          for (auto& each : fibers) each.join();
        });
      },
      mutex, order, met);
  met.arrive_and_wait();
  lock.unlock();
  waiting.get();
  const std::vector<int> all = order.unwrap();
  ASSERT_EQ(all.size(), 500U);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
}

bool try_it(shared::Mutex mutex) {
  if (!mutex.try_lock()) return false;
  mutex.unlock();
  return true;
}
bool try_it_for(shared::Mutex mutex, int ms) {
  if (!mutex.try_lock_for(std::chrono::milliseconds{ms})) return false;
  mutex.unlock();
  return true;
}

TEST(SharedMutex, is_tried_without_waiting_and_until_a_deadline) {
  Worker worker;
  shared::Mutex mutex;
  EXPECT_TRUE(worker.submit<try_it>(mutex).get());
  std::unique_lock lock{mutex};
  EXPECT_FALSE(worker.submit<try_it>(mutex).get());
  const auto before = Clock::now();
  EXPECT_FALSE(worker.submit<try_it_for>(mutex, 30).get());
  EXPECT_GE(Clock::now() - before, 30ms);
  shared::Barrier met{2};
  auto later = worker.submit(
      [](shared::Mutex its, shared::Barrier meeting) {
        bool had = false;
        meet_while_it_waits(meeting, [&] { had = try_it_for(its, 600'000); });
        return had;
      },
      mutex, met);
  met.arrive_and_wait();
  lock.unlock();
  EXPECT_TRUE(later.get());
  // Who gave up does not stand in anybody's way.
  EXPECT_TRUE(lock.try_lock());
}

int try_often(shared::Mutex mutex, int times) {
  int had = 0;
  for (int i = 0; i < times; ++i) {
    if (!mutex.try_lock_for(std::chrono::microseconds{i % 60})) continue;
    ++had;
    mutex.unlock();
  }
  return had;
}

TEST(SharedMutex, is_not_lost_where_a_deadline_passes_as_it_is_handed_over) {
  Pool pool{{.limit = 2}};
  shared::Mutex mutex;
  std::array<Execution<int>, 2> tries{pool.submit<try_often>(mutex, 1000),
                                      pool.submit<try_often>(mutex, 1000)};
  while (!tries[0].ready() || !tries[1].ready()) {
    const std::lock_guard guard{mutex};
    sleep_for(20us);
  }
  for (auto& each : tries) static_cast<void>(each.get());
  EXPECT_TRUE(mutex.try_lock());
}

std::string what_comes_of_locking(shared::Mutex mutex) {
  try {
    mutex.lock();
    return "locked";
  } catch (const Closed&) {
    return "closed";
  }
}

TEST(SharedMutex, that_is_destroyed_tells_who_waits_and_who_asks_later) {
  Worker early;
  Worker late;
  auto mutex = std::make_optional<shared::Mutex>();
  shared::Barrier met{2};
  mutex->lock();
  auto waiting = early.submit(
      [](shared::Mutex its, shared::Barrier meeting) {
        std::string what;
        meet_while_it_waits(meeting, [&] { what = what_comes_of_locking(its); });
        return what;
      },
      *mutex, met);
  met.arrive_and_wait();
  const Gate gate;
  auto asking = late.submit(
      [](shared::Mutex its, std::string path) {
        behind(path, 0);
        return what_comes_of_locking(its);
      },
      *mutex, gate.path());
  mutex.reset();
  gate.open();
  EXPECT_EQ(waiting.get(), "closed");
  EXPECT_EQ(asking.get(), "closed");
}

TEST(SharedMutex, that_comes_back_is_the_one_that_went) {
  Worker worker;
  shared::Mutex mutex;
  auto back = worker
                  .submit(
                      [](shared::Mutex its) {
                        its.lock();
                        return its;
                      },
                      mutex)
                  .get();
  EXPECT_FALSE(mutex.try_lock()) << "the worker has it";
  std::optional<shared::Mutex> last = std::move(mutex);
  last.reset();
  EXPECT_FALSE(back.try_lock()) << "it lives on in the handle that came back";
}

TEST(SharedMutex, is_refused_to_other_threads_of_a_worker) {
  Worker worker;
  shared::Mutex mutex;
  const std::string what = worker
                               .submit(
                                   [](shared::Mutex its) {
                                     std::string said;
                                     std::jthread{[&] {
                                       try {
                                         its.lock();
                                       } catch (const Error& error) {
                                         said = error.what();
                                       }
                                     }}.join();
                                     return said;
                                   },
                                   mutex)
                               .get();
  EXPECT_NE(what.find("main thread"), std::string::npos);
  EXPECT_TRUE(mutex.try_lock());
}

TEST(SharedMutex, is_had_by_workers_that_have_been_retired) {
  Pool pool{{.limit = 2, .tasks_per_worker = 1}};
  shared::Mutex mutex;
  const Number number;
  std::vector<Execution<void>> all;
  for (int i = 0; i < 6; ++i) all.push_back(pool.submit<count_in_file>(mutex, number.path(), 20));
  for (auto& each : all) each.get();
  EXPECT_EQ(number.get(), 6 * 20);
}

}  // namespace
}  // namespace weft::contract
