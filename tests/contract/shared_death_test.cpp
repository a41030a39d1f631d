// What a worker leaves behind when it dies with shared objects in its hands.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>
#include <weft/weft.hpp>

#include "contract/shared_tasks.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

void die_with(shared::Mutex mutex) {
  mutex.lock();
  ::raise(SIGKILL);
}

TEST(SharedDeath, of_a_holder_passes_the_lock_on_and_says_so_once) {
  Worker victim;
  shared::Mutex mutex;
  EXPECT_THROW(victim.submit<die_with>(mutex).get(), WorkerCrashed);
  mutex.lock();
  EXPECT_TRUE(mutex.was_abandoned());
  mutex.unlock();
  mutex.lock();
  EXPECT_FALSE(mutex.was_abandoned());
}

TEST(SharedDeath, of_a_holder_serves_who_waits_in_another_worker) {
  Worker victim;
  Worker heir;
  shared::Mutex mutex;
  const Gate gate;
  auto holding = victim.submit(
      [](shared::Mutex its, std::string path) {
        its.lock();
        behind(path, 0);
      },
      mutex, gate.path());
  while (mutex.try_lock()) {  // until it has it
    mutex.unlock();
    sleep_for(100us);
  }
  shared::Barrier met{2};
  auto inheriting = heir.submit<will_it_be_abandoned>(mutex, met);
  met.arrive_and_wait();
  ASSERT_EQ(::kill(static_cast<pid_t>(victim.pid()), SIGKILL), 0);
  EXPECT_TRUE(inheriting.get());
  EXPECT_THROW(holding.get(), WorkerCrashed);
  EXPECT_FALSE(was_it_abandoned(mutex));
}

TEST(SharedDeath, of_a_waiter_leaves_the_queue_in_order) {
  Worker victim;
  Worker next;
  shared::Mutex mutex;
  std::unique_lock lock{mutex};
  shared::Barrier met{2};
  auto doomed = victim.submit<will_it_be_abandoned>(mutex, met);
  met.arrive_and_wait();
  auto later = next.submit<will_it_be_abandoned>(mutex, met);
  met.arrive_and_wait();
  ASSERT_EQ(::kill(static_cast<pid_t>(victim.pid()), SIGKILL), 0);
  EXPECT_THROW(doomed.get(), WorkerCrashed);
  lock.unlock();
  EXPECT_FALSE(later.get()) << "nobody died with it";
}

TEST(SharedDeath, of_a_worker_gives_back_permits_of_all_keys) {
  Worker victim;
  shared::Semaphore semaphore{5};
  shared::KeyedSemaphore keyed{2};
  EXPECT_THROW(victim
                   .submit(
                       [](shared::Semaphore its, shared::KeyedSemaphore theirs) {
                         const auto three = its.acquire(3);
                         const auto one = its.acquire();
                         const auto a = theirs.acquire("a");
                         const auto b = theirs.acquire("b");
                         ::raise(SIGKILL);
                       },
                       semaphore, keyed)
                   .get(),
               WorkerCrashed);
  const auto all = semaphore.acquire(5);
  EXPECT_TRUE(all.was_abandoned());
  const auto first = keyed.acquire("b");
  EXPECT_TRUE(first.was_abandoned());
  EXPECT_FALSE(keyed.acquire("b").was_abandoned());
  EXPECT_FALSE(keyed.acquire("c").was_abandoned());
}

TEST(SharedDeath, at_a_barrier_counts_as_not_having_come) {
  Worker victim;
  shared::Barrier barrier{2};
  shared::Barrier met{2};
  auto waiting = victim.submit(
      [](shared::Barrier its, shared::Barrier meeting) {
        meet_while_it_waits(meeting, [&] { its.arrive_and_wait(); });
      },
      barrier, met);
  met.arrive_and_wait();
  ASSERT_EQ(::kill(static_cast<pid_t>(victim.pid()), SIGKILL), 0);
  EXPECT_THROW(waiting.get(), WorkerCrashed);
  EXPECT_FALSE(barrier.arrive_and_wait_for(1ms));
}

TEST(SharedDeath, while_it_changes_a_parcel_leaves_the_value_from_before) {
  Worker victim;
  Worker heir;
  Parcel<std::string> parcel{"before"};
  EXPECT_THROW(victim
                   .submit(
                       [](Parcel<std::string> its) {
                         its.synchronized([](std::string& text) {
                           text = "half";
                           ::raise(SIGKILL);
                         });
                       },
                       parcel)
                   .get(),
               WorkerCrashed);
  const auto look = [](Parcel<std::string> its) {
    const std::string text = its.synchronized([](std::string& value) { return value; });
    return text + (its.was_abandoned() ? ", abandoned" : "");
  };
  EXPECT_EQ(heir.submit(look, parcel).get(), "before, abandoned");
  EXPECT_EQ(heir.submit(look, parcel).get(), "before");
}

TEST(SharedDeath, of_a_whole_pool_passes_everything_on) {
  shared::Mutex mutex;
  {
    Pool pool{{.limit = 1}};
    auto lost = pool.submit(
        [](shared::Mutex its) {
          its.lock();
          for (;;) sleep_for(1h);
        },
        mutex);
    while (mutex.try_lock()) {
      mutex.unlock();
      sleep_for(100us);
    }
    pool.kill();
    EXPECT_THROW(lost.get(), WorkerKilled);
  }
  mutex.lock();
  EXPECT_TRUE(mutex.was_abandoned());
}

TEST(SharedDeath, is_not_what_a_task_does_that_throws) {
  Worker worker;
  shared::Mutex mutex;
  EXPECT_THROW(worker
                   .submit(
                       [](shared::Mutex its) {
                         const std::lock_guard guard{its};
                         throw std::out_of_range{"with it"};
                       },
                       mutex)
                   .get(),
               std::out_of_range);
  EXPECT_FALSE(was_it_abandoned(mutex));
}

TEST(SharedLock, that_a_worker_gives_back_twice_ends_that_worker_alone) {
  Worker wrong;
  Worker right;
  shared::Mutex mutex;
  auto failing = wrong.submit(
      [](shared::Mutex its) {
        its.unlock();
        for (;;) sleep_for(1h);
      },
      mutex);
  EXPECT_THROW(failing.get(), ProtocolViolation);
  EXPECT_FALSE(right.submit<was_it_abandoned>(mutex).get());
}

}  // namespace
}  // namespace weft::contract
