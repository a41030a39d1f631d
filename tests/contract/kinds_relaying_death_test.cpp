// What becomes of shared objects that a worker has handed on when one of the two dies, or goes wrong.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <weft/weft.hpp>

#include "contract/relaying.hpp"
#include "contract/shared_tasks.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

/// Where the lowest worker can be killed.
class RelayingFromMortal : public Relaying {};
/// Where the one in the middle can.
class RelayingThroughMortal : public Relaying {};
INSTANTIATE_TEST_SUITE_P(Death, RelayingFromMortal,
                         testing::Combine(testing::ValuesIn(kKindsBeside), testing::ValuesIn(kKindsApart)),
                         kinds_of);
INSTANTIATE_TEST_SUITE_P(Death, RelayingThroughMortal,
                         testing::Combine(testing::ValuesIn(kKindsApart), testing::ValuesIn(kKindsBeside)),
                         kinds_of);

void die_with(shared::Mutex mutex, Parcel<int> parcel, shared::Semaphore permits, shared::Barrier met) {
  mutex.lock();
  const auto permit = permits.acquire(2);
  parcel.synchronized([&](int& value) {
    value = 2;
    met.arrive_and_wait();
    met.arrive_and_wait();
    ::raise(SIGKILL);
  });
}

TEST_P(RelayingFromMortal, passes_on_what_died_below_and_says_so) {
  Worker heir;
  shared::Mutex mutex;
  Parcel<int> parcel{1};
  shared::Semaphore permits{3};
  shared::Barrier met{2};
  auto dying = submit_below<die_with>(mutex, parcel, permits, met);
  met.arrive_and_wait();
  EXPECT_FALSE(permits.try_acquire(2));
  shared::Barrier waits{2};
  auto inheriting = heir.submit<will_it_be_abandoned>(mutex, waits);
  waits.arrive_and_wait();
  met.arrive_and_wait();
  EXPECT_TRUE(inheriting.get());
  EXPECT_EQ(parcel.synchronized([](int& value) { return value; }), 1);
  EXPECT_TRUE(parcel.was_abandoned());
  EXPECT_TRUE(permits.acquire(3).was_abandoned());
  EXPECT_FALSE(was_it_abandoned(mutex)) << "it is said once";
  EXPECT_THROW(dying.get(), TaskFailed) << "as the task of the one in the middle";
  EXPECT_FALSE(submit_below<was_it_abandoned>(mutex).get());
}

/// Kills its worker, which waits for the mutex, at the second meeting.
bool kill_who_waits(WorkerKind kind, shared::Mutex mutex, shared::Barrier waits, shared::Barrier met) {
  Worker own{of_kind(kind)};
  auto waiting = own.submit<will_it_be_abandoned>(mutex, waits);
  met.arrive_and_wait();
  met.arrive_and_wait();
  ::kill(static_cast<pid_t>(own.pid()), SIGKILL);
  try {
    waiting.get();
    return false;
  } catch (const WorkerCrashed&) {
    return true;
  }
}

TEST_P(RelayingFromMortal, lets_those_behind_go_on_when_one_dies_that_waits) {
  Worker next;
  shared::Mutex mutex;
  std::unique_lock lock{mutex};
  shared::Barrier waits{2};
  shared::Barrier met{2};
  auto killing = middle().submit<kill_who_waits>(lowest(), mutex, waits, met);
  waits.arrive_and_wait();
  met.arrive_and_wait();
  auto later = next.submit<will_it_be_abandoned>(mutex, waits);
  waits.arrive_and_wait();
  met.arrive_and_wait();
  EXPECT_TRUE(killing.get());
  lock.unlock();
  EXPECT_FALSE(later.get()) << "nobody died with it";
  EXPECT_FALSE(submit_below<was_it_abandoned>(mutex).get());
}

void hold_all(shared::Mutex mutex, shared::Semaphore permits, shared::Barrier met) {
  const auto two = permits.acquire(2);
  hold(mutex, met);
}

TEST_P(RelayingThroughMortal, passes_on_what_was_held_below_when_the_middle_dies) {
  shared::Mutex mutex;
  shared::Semaphore permits{3};
  shared::Barrier met{2};
  auto holding = submit_below<hold_all>(mutex, permits, met);
  met.arrive_and_wait();
  EXPECT_FALSE(mutex.try_lock());
  ASSERT_EQ(::kill(static_cast<pid_t>(middle().pid()), SIGKILL), 0);
  mutex.lock();
  EXPECT_TRUE(mutex.was_abandoned());
  EXPECT_TRUE(permits.acquire(3).was_abandoned());
  EXPECT_THROW(holding.get(), WorkerCrashed);
  mutex.unlock();
  Worker another;
  EXPECT_FALSE(another.submit<was_it_abandoned>(mutex).get());
}

// Wrong ones.

/// How it ends with a task that does not know what it has.
template <auto task>
std::string end_of(WorkerKind kind, shared::Mutex mutex, shared::Barrier barrier) {
  Worker own{of_kind(kind)};
  auto wrong = own.submit<task>(mutex, barrier);
  try {
    wrong.get();
    return "value";
  } catch (const ProtocolViolation&) {
    Worker next{of_kind(kind)};
    return next.submit<was_it_abandoned>(mutex).get() ? "abandoned" : "violation";
  }
}
void unlock_what_it_has_not(shared::Mutex mutex, shared::Barrier) {
  mutex.unlock();
  for (;;) sleep_for(1h);
}
void drop_too_often(shared::Mutex, shared::Barrier barrier) {
  for (int i = 0; i < 3; ++i) barrier.drop();
  for (;;) sleep_for(1h);
}

TEST_P(RelayingFromMortal, a_violation_below_ends_that_worker_alone) {
  shared::Mutex mutex;
  const shared::Barrier barrier{2};
  EXPECT_EQ(middle().submit<end_of<unlock_what_it_has_not>>(lowest(), mutex, barrier).get(), "violation");
  EXPECT_EQ(middle().submit<end_of<drop_too_often>>(lowest(), mutex, barrier).get(), "violation");
  EXPECT_FALSE(submit_below<was_it_abandoned>(mutex).get()) << "the one in the middle lives";
}

int end_in_the_depth(int levels, WorkerKind kind, shared::Mutex mutex) {
  if (levels == 0) {
    mutex.lock();
    ::raise(SIGKILL);
  }
  try {
    Worker own{of_kind(kind)};
    return own.submit<end_in_the_depth>(levels - 1, kind, mutex).get();
  } catch (const WorkerCrashed&) {
    return levels;
  }
}

TEST_P(RelayingFromMortal, tells_of_a_death_from_the_depth) {
  shared::Mutex mutex;
  EXPECT_EQ(middle().submit<end_in_the_depth>(4, lowest(), mutex).get(), 1);
  mutex.lock();
  EXPECT_TRUE(mutex.was_abandoned());
}

}  // namespace
}  // namespace weft::contract
