// What a worker hands on to workers of its own: shared objects whose home is further up.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <boost/fiber/fiber.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <vector>
#include <weft/weft.hpp>

#include "contract/relaying.hpp"
#include "contract/shared_tasks.hpp"

namespace weft::contract {
namespace {

using namespace std::chrono_literals;

/// Where the worker in the middle is another process.
class RelayingThroughApart : public Relaying {};
INSTANTIATE_TEST_SUITE_P(By, Relaying,
                         testing::Combine(testing::ValuesIn(kKindsBeside), testing::ValuesIn(kKindsBeside)),
                         kinds_of);
INSTANTIATE_TEST_SUITE_P(By, RelayingThroughApart,
                         testing::Combine(testing::ValuesIn(kKindsApart), testing::ValuesIn(kKindsBeside)),
                         kinds_of);

bool try_it(shared::Mutex mutex) {
  const std::unique_lock lock{mutex, std::try_to_lock};
  return lock.owns_lock();
}
bool try_within_5_ms(shared::Mutex mutex) {
  const std::unique_lock lock{mutex, 5ms};
  return lock.owns_lock();
}
TEST_P(Relaying, a_mutex_that_is_locked_below_excludes_everybody_else) {
  Worker sibling;
  shared::Mutex mutex;
  shared::Barrier met{2};
  auto holding = submit_below<hold>(mutex, met);
  met.arrive_and_wait();
  EXPECT_FALSE(mutex.try_lock());
  EXPECT_FALSE(sibling.submit<try_it>(mutex).get());
  EXPECT_FALSE(sibling.submit<try_within_5_ms>(mutex).get());
  met.arrive_and_wait();
  holding.get();
  EXPECT_TRUE(mutex.try_lock());
  EXPECT_FALSE(submit_below<try_it>(mutex).get());
  mutex.unlock();
  EXPECT_TRUE(submit_below<try_it>(mutex).get());
}

/// Here and in two workers at once.
void count_up_around(WorkerKind kind, Parcel<Twins> twins, shared::Mutex mutex,
                     shared::KeyedSemaphore permits) {
  PoolOptions options{.limit = 2};
  options.worker.kind = kind;
  Pool pool{options};
  auto one = pool.submit<count_up>(twins, mutex, permits);
  auto another = pool.submit<count_up>(twins, mutex, permits);
  count_up(twins, mutex, permits);
  one.get();
  another.get();
}

TEST_P(Relaying, keeps_workers_at_all_levels_apart) {
  Parcel<Twins> twins;
  shared::Mutex mutex;
  shared::KeyedSemaphore permits{2};
  auto counting = middle().submit<count_up_around>(lowest(), twins, mutex, permits);
  count_up(twins, mutex, permits);
  counting.get();
  EXPECT_EQ(twins.unwrap().one, 4U * kRounds);
  EXPECT_EQ(twins.unwrap().other, 4U * kRounds);
  EXPECT_FALSE(mutex.was_abandoned());
}

void meet_and_leave(shared::Barrier barrier) {
  for (int round = 0; round < 50; ++round) barrier.arrive_and_wait();
  barrier.drop();
}

TEST_P(Relaying, meets_at_a_barrier_round_after_round) {
  shared::Barrier barrier{2};
  auto meeting = submit_below<meet_and_leave>(barrier);
  for (int round = 0; round < 50; ++round) barrier.arrive_and_wait();
  meeting.get();
  barrier.arrive_and_wait();  // it has left
}

int turns_of_three(shared::RateLimit rate) {
  int had = 0;
  for (int i = 0; i < 3; ++i) had += rate.try_acquire() ? 1 : 0;
  return had;
}

TEST_P(Relaying, keeps_a_rate_for_all_together) {
  shared::RateLimit rate{3, 1h};
  EXPECT_TRUE(rate.try_acquire());
  EXPECT_EQ(submit_below<turns_of_three>(rate).get(), 2);
  EXPECT_FALSE(rate.try_acquire());
}

struct Page {
  std::string title;
  Buffer body;
};

void copy_last(Parcel<std::vector<Page>> pages) {
  pages.synchronized([](std::vector<Page>& all) {
    all.push_back({"copy of " + all.back().title, Buffer::copy_of(all.back().body.text())});
  });
}

TEST_P(Relaying, carries_a_parcel_of_buffers_both_ways) {
  Parcel<std::vector<Page>> pages{{{std::string(5000, 't'), Buffer::copy_of(std::string(100'000, '1'))}}};
  submit_below<copy_last>(pages).get();
  pages.synchronized([](std::vector<Page>& all) { all.back().body = Buffer::copy_of("2"); });
  submit_below<copy_last>(pages).get();
  const std::vector<Page> all = pages.unwrap();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].body.text(), std::string(100'000, '1'));
  EXPECT_EQ(all[1].title, "copy of " + std::string(5000, 't'));
  EXPECT_EQ(all[2].title, "copy of copy of " + std::string(5000, 't'));
  EXPECT_EQ(all[2].body.text(), "2");
}

std::size_t read_a_thousand_times(Parcel<std::string> parcel) {
  std::size_t sum = 0;
  std::vector<boost::fibers::fiber> fibers;
  for (int i = 0; i < 1000; ++i)
    fibers.emplace_back(boost::fibers::launch::dispatch, [&] { sum += parcel.unwrap().size(); });
  for (auto& each : fibers) each.join();
  return sum;
}

TEST_P(Relaying, takes_more_answers_at_once_than_fit_the_ring) {
  const Parcel<std::string> parcel{std::string(1000, 'p')};
  EXPECT_EQ(submit_below<read_a_thousand_times>(parcel).get(), 1'000'000U);
}

shared::Mutex give_it_back(shared::Mutex mutex) { return mutex; }

TEST_P(Relaying, brings_back_the_object_that_went) {
  shared::Mutex mutex;
  const std::lock_guard guard{mutex};
  shared::Mutex back = submit_below<give_it_back>(mutex).get();
  EXPECT_FALSE(back.try_lock());
}

bool come_for_5_ms(shared::Barrier barrier) { return barrier.arrive_and_wait_for(5ms); }

TEST_P(Relaying, leaves_nothing_behind_of_who_gave_up) {
  shared::Mutex mutex;
  std::unique_lock lock{mutex};
  EXPECT_FALSE(submit_below<try_within_5_ms>(mutex).get());
  lock.unlock();
  EXPECT_TRUE(submit_below<try_within_5_ms>(mutex).get());
  shared::Barrier barrier{2};
  EXPECT_FALSE(submit_below<come_for_5_ms>(barrier).get());
  EXPECT_FALSE(barrier.arrive_and_wait_for(1ms)) << "nobody waits there";
  EXPECT_TRUE(mutex.try_lock());
  EXPECT_FALSE(mutex.was_abandoned());
}

bool is_told_that_it_is_gone(shared::Barrier barrier, shared::Barrier met) {
  bool told = false;
  meet_while_it_waits(met, [&] {
    try {
      barrier.arrive_and_wait();
    } catch (const Closed&) {
      told = true;
    }
  });
  return told;
}

TEST_P(RelayingThroughApart, tells_who_waits_that_the_object_is_gone) {
  auto barrier = std::make_optional<shared::Barrier>(2);
  shared::Barrier met{2};
  auto told = submit_below<is_told_that_it_is_gone>(*barrier, met);
  met.arrive_and_wait();
  barrier.reset();
  EXPECT_TRUE(told.get());
}

/// Returns while the task that it has submitted still runs.
void leave_running(WorkerKind kind, shared::Mutex mutex, shared::Barrier met) {
  static Worker own{of_kind(kind)};
  static auto running = own.submit<hold>(mutex, met);
}

TEST_P(RelayingThroughApart, goes_on_when_the_task_has_returned_that_handed_it_on) {
  shared::Mutex mutex;
  shared::Barrier met{2};
  middle().submit<leave_running>(lowest(), mutex, met).get();
  met.arrive_and_wait();
  EXPECT_FALSE(mutex.try_lock());
  met.arrive_and_wait();
  mutex.lock();
  EXPECT_FALSE(mutex.was_abandoned());
}

/// Has the mutex at the meeting, and no more when it has written to `path`.
void unlock_and_tell(shared::Mutex mutex, shared::Barrier met, std::string path) {
  mutex.lock();
  met.arrive_and_wait();
  mutex.unlock();
  std::ofstream{path} << 'x';
}
/// How often the mutex was still locked when the answer had come from below.
int find_it_locked(WorkerKind kind, shared::Mutex mutex) {
  static Worker own{of_kind(kind)};
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) std::abort();
  const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(pipe[1]);
  shared::Barrier met{2};
  int locked = 0;
  for (int i = 0; i < 20; ++i) {
    auto telling = own.submit<unlock_and_tell>(mutex, met, path);
    met.arrive_and_wait();
    // Not as a fiber: so that this thread has passed nothing on when it looks for the answer.
    char told = 0;
    if (::read(pipe[0], &told, 1) != 1) std::abort();
    telling.get();
    // In the end the program shall look.
    if (i < 19 && !try_it(mutex)) ++locked;
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
  return locked;
}

TEST_P(RelayingThroughApart, lets_nobody_hear_of_an_answer_before_what_was_done_before_it) {
  shared::Mutex mutex;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(middle().submit<find_it_locked>(lowest(), mutex).get(), 0);
    EXPECT_TRUE(try_it(mutex));
  }
}

// Deeper.

int lock_in_the_depth(int levels, WorkerKind kind, shared::Mutex mutex, Parcel<int> visits) {
  {
    const std::lock_guard guard{mutex};
    visits.synchronized([](int& count) { ++count; });
  }
  if (levels == 0) return mutex.was_abandoned() ? 1 : 0;
  Worker own{of_kind(kind)};
  return own.submit<lock_in_the_depth>(levels - 1, kind, mutex, visits).get();
}

TEST_P(Relaying, goes_down_as_deep_as_workers_do) {
  shared::Mutex mutex;
  Parcel<int> visits;
  EXPECT_EQ(middle().submit<lock_in_the_depth>(8, lowest(), mutex, visits).get(), 0);
  EXPECT_EQ(visits.unwrap(), 9);
}

/// Whose home is in between.
bool serve_own(WorkerKind kind) {
  shared::Mutex mutex;
  Worker own{of_kind(kind)};
  const std::unique_lock lock{mutex};
  return own.submit<below<try_it, shared::Mutex>>(kind, mutex).get();
}

shared::Mutex make_one() { return shared::Mutex{}; }

TEST_P(Relaying, an_object_of_a_worker_serves_all_below_it_and_is_refused_above) {
  EXPECT_FALSE(middle().submit<serve_own>(lowest()).get());
  if (std::get<0>(GetParam()) == WorkerKind::thread) {
    EXPECT_THROW(static_cast<void>(middle().submit<make_one>().get().try_lock()), Closed)
        << "its home is here";
    return;
  }
  try {
    static_cast<void>(middle().submit<make_one>().get());
    FAIL() << "nobody would answer it";
  } catch (const EncodingError& error) {
    EXPECT_NE(std::string{error.what()}.find("cannot be handed up"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace weft::contract
