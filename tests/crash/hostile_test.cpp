// A worker that lies is the only one to suffer for it: its task fails with ProtocolViolation, and the pool goes on.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "crash/hostile_worker.hpp"
#include "crash/scratch.hpp"
#include "crash/shared_lies.hpp"

extern char** environ;

namespace weft::crash {
namespace {

using namespace std::chrono_literals;

/// What liars lie about. Made before anything else is shared, so that they know the ids.
struct Lures {
  shared::Mutex mutex;
  Parcel<std::string> parcel{"fine"};
  shared::Barrier barrier{1};
};
Lures& lures() {
  static Lures those;
  return those;
}

/// `home` is the process that the lures live in.
Pool pool_with_a_liar(const std::string& lie, const std::string& mark, std::size_t limit,
                      std::shared_ptr<Observer> observer = {}, std::int64_t home = ::getpid()) {
  static_cast<void>(lures());
  std::vector<std::string> environment{"WEFT_LIE=" + lie, "WEFT_LIE_MARK=" + mark,
                                       "WEFT_LIE_HOME=" + std::to_string(home)};
  for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
  PoolOptions options;
  options.limit = limit;
  options.observer = std::move(observer);
  options.worker.binary = WEFT_HOSTILE_WORKER;
  options.worker.environment = environment;
  return Pool{options};
}
Pool pool_with_a_liar(const std::string& lie, const Scratch& scratch, std::size_t limit,
                      std::shared_ptr<Observer> observer = {}) {
  return pool_with_a_liar(lie, scratch.file("lied"), limit, std::move(observer));
}

std::string outcome_of(Execution<int>& execution, int right) {
  try {
    return execution.get() == right ? "value" : "wrong value";
  } catch (const ProtocolViolation&) {
    return "violation";
  } catch (const StartFailed&) {
    return "start_failed";
  } catch (const Incompatible&) {
    return "incompatible";
  } catch (const WorkerCrashed& error) {
    return error.trace().size() < (1U << 20) ? "crash" : "a trace without end";
  } catch (const Error& error) {
    return std::string{"any_error: "} + error.what();
  }
}

std::string expected(Outcome outcome) {
  switch (outcome) {
    case Outcome::violation:
      return "violation";
    case Outcome::start_failed:
      return "start_failed";
    case Outcome::incompatible:
      return "incompatible";
    case Outcome::value:
      return "value";
    case Outcome::crash:
      return "crash";
    case Outcome::any_error:
    case Outcome::violation_in_time:
      break;
  }
  return "";
}

std::vector<Lie> lies_of(bool in_time) {
  std::vector<Lie> some;
  for (const Lie& lie : lies()) {
    if ((lie.outcome == Outcome::violation_in_time) == in_time) some.push_back(lie);
  }
  return some;
}

class Liar : public testing::TestWithParam<Lie> {};

TEST_P(Liar, fails_its_own_task_and_the_pool_goes_on) {
  const Scratch scratch;
  Pool pool = pool_with_a_liar(GetParam().name, scratch, 1);
  const auto twice = named<int(int)>("twice");
  auto with_liar = pool.submit(twice, 21);
  const std::string outcome = outcome_of(with_liar, 42);
  if (GetParam().outcome == Outcome::any_error) {
    EXPECT_NE(outcome, "start_failed");
  } else {
    EXPECT_EQ(outcome, expected(GetParam().outcome));
  }
  EXPECT_TRUE(scratch.has("lied"));
  // The liar, if it still lives, answers honestly from now on; whoever has come in its place does.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(pool.submit(twice, i).get(), 2 * i);
  // Whatever it had of what others share has passed on.
  const std::lock_guard guard{lures().mutex};
}

/// Whatever a worker says of its times, they are such as can be.
class Clerk final : public Observer {
 public:
  void task_submitted(const TaskEvent&) override { ++submitted; }
  void task_settled(const TaskEvent& event) override {
    ++settled;
    const TaskTimes& times = event.times;
    if (times.submitted <= times.begun && times.begun <= times.ended && times.ended <= times.settled)
      ++possible;
  }
  int submitted = 0;
  int settled = 0;
  int possible = 0;
};

TEST_P(Liar, cannot_lie_about_its_times) {
  const Scratch scratch;
  const auto clerk = std::make_shared<Clerk>();
  {
    Pool pool = pool_with_a_liar(GetParam().name, scratch, 1, clerk);
    const auto twice = named<int(int)>("twice");
    auto with_liar = pool.submit(twice, 21);
    static_cast<void>(outcome_of(with_liar, 42));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(pool.submit(twice, i).get(), 2 * i);
    pool.kill();  // not every liar ends when it is told to
    pool.shutdown();
  }
  EXPECT_EQ(clerk->submitted, 21);
  EXPECT_EQ(clerk->settled, 21);
  EXPECT_EQ(clerk->possible, 21);
}

TEST(HostileWorker, of_another_build_at_this_programs_own_place_is_refused) {
  const Scratch scratch;
  PoolOptions options{.limit = 1};
  options.worker.environment = {"WEFT_LIE=other_build", "WEFT_LIE_MARK=" + scratch.file("lied")};
  Pool pool{options};
  const auto twice = [](int number) { return 2 * number; };
  try {
    static_cast<void>(pool.submit(twice, 21).get());
    FAIL() << "its functions lie elsewhere";
  } catch (const Incompatible& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("differ in their builds: build id "), std::string::npos) << text;
  }
  EXPECT_TRUE(scratch.has("lied"));
  EXPECT_EQ(pool.submit(twice, 21).get(), 42) << "the next one is honest";
}

TEST(HostileWorker, that_stores_noise_in_a_parcel_is_refused_by_who_reads_it) {
  const Scratch scratch;
  Pool pool = pool_with_a_liar("parcel_of_noise", scratch, 1);
  EXPECT_EQ(pool.submit(named<int(int)>("twice"), 21).get(), 42);
  // Bytes of no kind that a string is: there is nothing in them to be believed.
  EXPECT_THROW(static_cast<void>(lures().parcel.unwrap()), EncodingError);
  EXPECT_THROW(lures().parcel.synchronized([](std::string&) {}), EncodingError);
}

TEST_P(Liar, is_not_noticed_by_the_worker_beside_it) {
  const Scratch scratch;
  Pool pool = pool_with_a_liar(GetParam().name, scratch, 2);
  const auto twice = named<int(int)>("twice");
  std::vector<Execution<int>> executions;
  for (int i = 0; i < 60; ++i) executions.push_back(pool.submit(twice, i));
  int values = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string outcome = outcome_of(executions[static_cast<std::size_t>(i)], 2 * i);
    EXPECT_NE(outcome, "wrong value");
    if (outcome == "value") ++values;
  }
  // Nothing tells how many tasks it took to get it wrong; but it never takes the other's with it.
  EXPECT_GT(values, 0);
  // It may be still alive, and get it wrong only now.
  for (int i = 0; i < 20; ++i) {
    auto execution = pool.submit(twice, i);
    EXPECT_NE(outcome_of(execution, 2 * i), "wrong value");
  }
}

TEST(HostileWorker, that_hands_back_more_of_a_block_than_it_has_is_found_out) {
  const Scratch scratch;
  Pool pool = pool_with_a_liar("block_handed_back_with_more_than_it_has", scratch, 1);
  const auto length_of = named<std::size_t(Buffer)>("length_of");
  const Buffer buffer = Buffer::copy_of(std::string(100'000, 'b'));
  EXPECT_THROW(pool.submit(length_of, buffer).get(), ProtocolViolation);
  EXPECT_EQ(pool.submit(length_of, buffer).get(), buffer.size());
}

TEST(HostileWorker, that_sends_noise_on_a_channel_spoils_that_value_alone) {
  const Scratch scratch;
  Pool pool = pool_with_a_liar("value_of_noise_on_a_channel", scratch, 1);
  auto execution = pool.submit(named<int(int)>("twice"), 21);
  auto channel = execution.channel<int, int>();
  EXPECT_THROW(static_cast<void>(channel.receive()), EncodingError);
  EXPECT_EQ(channel.receive(), 1);
  EXPECT_THROW(static_cast<void>(channel.receive()), Closed);
  EXPECT_EQ(execution.get(), 42);
}

TEST(HostileWorker, that_sends_beyond_its_credit_is_heard_so_far) {
  const Scratch scratch;
  Pool pool = pool_with_a_liar("values_beyond_the_credit", scratch, 1);
  auto execution = pool.submit(named<int(int)>("twice"), 21);
  EXPECT_THROW(execution.get(), ProtocolViolation);
  auto channel = execution.channel<int, int>();
  for (int i = 0; i < 64; ++i) ASSERT_EQ(channel.receive(), i);
  EXPECT_THROW(static_cast<void>(channel.receive()), Closed);
}

class PatientLiar : public testing::TestWithParam<Lie> {};

TEST_P(PatientLiar, is_found_out_once_it_matters) {
  const Scratch scratch;
  Pool pool = pool_with_a_liar(GetParam().name, scratch, 1);
  const auto twice = named<int(int)>("twice");
  std::vector<Execution<int>> executions;
  for (int i = 0; i < 20'000; ++i) executions.push_back(pool.submit(twice, i));
  int violations = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string outcome = outcome_of(executions[static_cast<std::size_t>(i)], 2 * i);
    if (outcome == "violation") {
      ++violations;
    } else {
      ASSERT_EQ(outcome, "value");
    }
  }
  EXPECT_GT(violations, 0);
  EXPECT_EQ(pool.status().workers_lost, 1U);
}

/// How it ends with a liar that is a worker of the calling worker, and that worker's other workers.
std::string outcome_below(std::string lie, std::string mark, std::int64_t home) {
  Pool pool = pool_with_a_liar(lie, mark, 1, {}, home);
  const auto twice = named<int(int)>("twice");
  auto with_liar = pool.submit(twice, 21);
  const std::string outcome = outcome_of(with_liar, 42);
  for (int i = 0; i < 20; ++i) {
    if (pool.submit(twice, i).get() != 2 * i) return "wrong value of another";
  }
  return outcome;
}

class LiarBelow : public testing::TestWithParam<Lie> {};

TEST_P(LiarBelow, harms_neither_the_worker_in_between_nor_the_program) {
  static_cast<void>(lures());
  const Scratch scratch;
  Worker middle;
  const std::string lie = GetParam().name;
  EXPECT_EQ(middle.submit<outcome_below>(lie, scratch.file("lied"), ::getpid()).get(),
            expected(GetParam().outcome));
  EXPECT_TRUE(scratch.has("lied"));
  // Honest ones alone from now on, in the same worker.
  EXPECT_EQ(middle.submit<outcome_below>(lie, scratch.file("lied"), ::getpid()).get(), "value");
  const std::lock_guard guard{lures().mutex};
}

std::vector<Lie> lies_below() {
  std::vector<Lie> some;
  for (const Lie& lie : shared_lies()) {
    // It gives back before it has been told that it has: whether the worker in between knows by then is a race.
    if (lie.name != std::string{"parcel_of_noise"}) some.push_back(lie);
  }
  return some;
}
INSTANTIATE_TEST_SUITE_P(Each, LiarBelow, testing::ValuesIn(lies_below()),
                         [](const auto& lie) { return std::string{lie.param.name}; });
INSTANTIATE_TEST_SUITE_P(Each, PatientLiar, testing::ValuesIn(lies_of(true)),
                         [](const auto& lie) { return std::string{lie.param.name}; });
INSTANTIATE_TEST_SUITE_P(Each, Liar, testing::ValuesIn(lies_of(false)),
                         [](const auto& lie) { return std::string{lie.param.name}; });

}  // namespace
}  // namespace weft::crash
