// Waiting for several executions at once: what is given, what is thrown, and that nothing is lost.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/fiber/fiber.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"

using namespace std::chrono_literals;

namespace weft::contract {
namespace {

int doubled(int number) { return 2 * number; }
int square(int number) { return number * number; }
std::string greeting(std::string whom) { return "hello " + whom; }
void nothing() {}
int refused(std::string why) { throw std::invalid_argument{why}; }
std::string text(std::string of) { return of; }

using Ints = std::vector<weft::Execution<int>>;

Ints doubles(weft::Pool& pool, int count) {
  Ints executions;
  for (int i = 0; i < count; ++i) executions.push_back(pool.submit<doubled>(i));
  return executions;
}

TEST(All, reads_as_in_the_readme) {
  weft::Pool pool{{.limit = 2}};
  int used = 0;
  const auto use = [&](const std::vector<int>& some) { used += static_cast<int>(some.size()); };
  std::vector<weft::Execution<int>> executions;
  for (int i = 1; i <= 10; ++i) executions.push_back(pool.submit<square>(i));

  const std::vector<int> squares = weft::all(executions);         // in their order
  for (auto [index, execution] : weft::as_completed(executions))  // as they come
    std::printf("%zu: %d\n", index, execution.get());
  if (auto some = weft::any_n_for(executions, 3, 100ms)) use(*some);
  const auto [number, words] = weft::all(pool.submit<square>(7), pool.submit<greeting>("you"));
  EXPECT_EQ(squares.back(), 100);
  EXPECT_EQ(used, 3);
  EXPECT_EQ(number, 49);
  EXPECT_EQ(words, "hello you");
}

TEST(All, gives_the_values_in_the_order_of_the_executions) {
  weft::Pool pool{{.limit = 2}};
  Ints executions = doubles(pool, 1000);
  const std::vector<int> values = weft::all(executions);
  ASSERT_EQ(values.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], 2 * i);
  EXPECT_EQ(weft::all(executions), values) << "they can be asked again";
}

TEST(All, takes_vectors_arrays_spans_and_what_is_made_on_the_spot) {
  weft::Pool pool{{.limit = 2}};
  EXPECT_EQ(weft::all(doubles(pool, 3)), (std::vector{0, 2, 4}));
  Ints executions = doubles(pool, 3);
  EXPECT_EQ(weft::all(std::span{executions}.subspan(1)), (std::vector{2, 4}));
  weft::Execution<int> row[] = {pool.submit<doubled>(5), pool.submit<doubled>(6)};
  EXPECT_EQ(weft::all(row), (std::vector{10, 12}));
  std::array<weft::Execution<void>, 2> voids{pool.submit<nothing>(), pool.submit<nothing>()};
  static_assert(std::is_void_v<decltype(weft::all(voids))>);
  weft::all(voids);
  EXPECT_TRUE(weft::all_for(voids, 1h));
  EXPECT_TRUE(weft::all(Ints{}).empty());
}

TEST(All, of_different_types_gives_a_tuple) {
  weft::Pool pool{{.limit = 2}};
  auto last = pool.submit<nothing>();
  const auto [number, words, none] = weft::all(pool.submit<doubled>(21), pool.submit<text>("words"), last);
  EXPECT_EQ(number, 42);
  EXPECT_EQ(words, "words");
  EXPECT_EQ(none, std::monostate{});
  EXPECT_THROW(weft::all(last, pool.submit<refused>("no")), std::invalid_argument);
}

TEST(All, throws_the_first_failure_at_once_and_loses_nothing) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  Ints executions;
  executions.push_back(pool.submit<behind>(gate.path(), 7));
  executions.push_back(pool.submit<refused>("not this one"));
  EXPECT_THROW(weft::all(executions), std::invalid_argument);
  EXPECT_FALSE(executions[0].ready()) << "nobody waited for it";
  gate.open();
  EXPECT_EQ(executions[0].get(), 7) << "and it went on";
  EXPECT_THROW(weft::all(executions), std::invalid_argument);
}

TEST(All, gives_up_at_the_deadline_and_can_be_asked_again) {
  weft::Pool pool{{.limit = 1}};
  const Gate gate;
  Ints executions;
  executions.push_back(pool.submit<behind>(gate.path(), 1));
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(weft::all_for(executions, 10us).has_value());
  EXPECT_FALSE(weft::all_until(executions, std::chrono::steady_clock::now()).has_value());
  EXPECT_FALSE(weft::all_settled_for(executions, 0s).has_value());
  EXPECT_FALSE(weft::any_for(executions, -1s).has_value());
  EXPECT_FALSE(weft::any_until(executions, std::chrono::steady_clock::now() + 1ms).has_value());
  EXPECT_FALSE(weft::any_n_for(executions, 1, 1ms).has_value());
  EXPECT_FALSE(weft::first_for(executions, 1ms).has_value());
  gate.open();
  EXPECT_EQ(weft::all_for(executions, 1h).value(), std::vector{1});
  EXPECT_EQ(weft::all_settled_until(executions, weft::Deadline::max()).value().size(), 1U);
  EXPECT_EQ(weft::any_for(executions, 1h).value(), 1);
  EXPECT_EQ(weft::any_until(executions, weft::Deadline::max()).value(), 1);
  EXPECT_EQ(weft::any_n_until(executions, 1, weft::Deadline::max()).value(), std::vector{1});
  EXPECT_EQ(weft::first_until(executions, std::chrono::steady_clock::now() + 1h).value(), 1);
}

TEST(AllSettled, has_every_value_and_every_failure) {
  weft::Pool pool{{.limit = 2}};
  Ints executions = doubles(pool, 3);
  executions.push_back(pool.submit<refused>("one"));
  executions.push_back(pool.submit([]() -> int {
    std::raise(SIGKILL);
    return 0;
  }));
  const std::vector<weft::Outcome<int>> outcomes = weft::all_settled(executions);
  ASSERT_EQ(outcomes.size(), 5U);
  EXPECT_EQ(outcomes[2].value(), 4);
  EXPECT_EQ(outcomes[2].error(), nullptr);
  EXPECT_FALSE(outcomes[3]);
  EXPECT_THROW(static_cast<void>(outcomes[3].value()), std::invalid_argument);
  EXPECT_THROW(std::rethrow_exception(outcomes[4].error()), weft::WorkerCrashed);
  const auto [number, none] = weft::all_settled(pool.submit<refused>("two"), pool.submit<nothing>());
  EXPECT_FALSE(number.has_value());
  EXPECT_TRUE(none.has_value());
}

TEST(Any, gives_the_first_value_and_passes_over_failures) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  Ints executions;
  executions.push_back(pool.submit<behind>(gate.path(), 1));
  executions.push_back(pool.submit<refused>("no"));
  executions.push_back(pool.submit<doubled>(2));
  EXPECT_EQ(weft::any(executions), 4);
  EXPECT_EQ(weft::any(executions[0], executions[1], executions[2]), 4);
  gate.open();
  EXPECT_EQ(executions[0].get(), 1);
  EXPECT_THROW(weft::any(Ints{}), weft::ArgumentError);
}

TEST(Any, keeps_all_errors_where_all_fail) {
  weft::Pool pool{{.limit = 2}};
  try {
    weft::any(pool.submit<refused>("no"), pool.submit<refused>("neither"));
    FAIL();
  } catch (const weft::AggregateError& error) {
    EXPECT_STREQ(error.what(), "of 2 executions 0 gave a value, 1 was wanted: no; neither");
    ASSERT_EQ(error.errors().size(), 2U);
    for (const auto& each : error.errors()) EXPECT_THROW(std::rethrow_exception(each), std::invalid_argument);
    EXPECT_TRUE(error.verdict().may_have_run);
    EXPECT_FALSE(error.verdict().retry_is_safe);
    EXPECT_TRUE(error.verdict().worker_survived);
  }
}

TEST(AnyN, gives_values_as_they_come_until_there_are_enough) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  Ints executions;
  executions.push_back(pool.submit<behind>(gate.path(), 1));
  executions.push_back(pool.submit<doubled>(1));
  executions.push_back(pool.submit<refused>("no"));
  executions.push_back(pool.submit<doubled>(2));
  EXPECT_EQ(weft::any_n(executions, 2), (std::vector{2, 4}));
  EXPECT_TRUE(weft::any_n(executions, 0).empty());
  EXPECT_THROW(weft::any_n(executions, 5), weft::ArgumentError);
  gate.open();
  EXPECT_EQ(weft::any_n(executions, 3).size(), 3U);
  try {
    weft::any_n(executions, 4);
    FAIL();
  } catch (const weft::AggregateError& error) {
    EXPECT_EQ(error.errors()[0], nullptr);
    EXPECT_NE(error.errors()[2], nullptr);
  }
}

TEST(First, gives_or_throws_whatever_comes_first) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  auto late = pool.submit<behind>(gate.path(), 1);
  EXPECT_EQ(weft::first(late, pool.submit<doubled>(1)), 2);
  EXPECT_THROW(weft::first(late, pool.submit<refused>("no")), std::invalid_argument);
  gate.open();
  EXPECT_EQ(weft::first(late), 1);
  EXPECT_THROW(weft::first(Ints{}), weft::ArgumentError);
}

TEST(AsCompleted, gives_each_once_in_the_order_in_which_they_settle) {
  weft::Pool pool{{.limit = 3}};
  std::array<Gate, 3> gates;
  Ints executions;
  executions.push_back(pool.submit<behind>(gates[0].path(), 10));
  executions.push_back(pool.submit<behind>(gates[1].path(), -1));
  executions.push_back(pool.submit<behind>(gates[2].path(), 12));
  std::vector<std::size_t> order;
  gates[2].open();
  for (auto [index, execution] : weft::as_completed(executions)) {
    order.push_back(index);
    EXPECT_TRUE(execution.ready());
    if (index == 2) gates[1].open();
    if (index == 1) {
      gates[0].open();
      EXPECT_THROW(execution.get(), std::out_of_range);
    }
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{2, 1, 0}));
}

TEST(AsCompleted, can_be_asked_with_a_deadline) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  Ints executions;
  executions.push_back(pool.submit<behind>(gate.path(), 1));
  executions.push_back(pool.submit<doubled>(1));
  auto completed = weft::as_completed(executions);
  EXPECT_EQ(completed.next_for(1h)->index, 1U);
  EXPECT_FALSE(completed.next_for(1ms).has_value());
  EXPECT_EQ(completed.remaining(), 1U) << "so it was the time";
  gate.open();
  EXPECT_EQ(completed.next_until(weft::Deadline::max())->execution.get(), 1);
  EXPECT_FALSE(completed.next().has_value());
  EXPECT_EQ(completed.remaining(), 0U);
}

TEST(AsCompleted, keeps_executions_that_nobody_else_does) {
  weft::Pool pool{{.limit = 2}};
  int sum = 0;
  for (auto [index, execution] : weft::as_completed(doubles(pool, 100))) sum += execution.get();
  EXPECT_EQ(sum, 9900);
}

TEST(AsCompleted, can_be_left_early_and_waited_on_within) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  Ints executions = doubles(pool, 100);
  executions.push_back(pool.submit<behind>(gate.path(), 5));
  for (auto [index, execution] : weft::as_completed(executions)) {
    EXPECT_LE(weft::any(std::span{executions}.first(100)), 198);
    EXPECT_EQ(executions[99 - index].get(), 198 - 2 * static_cast<int>(index));
    break;
  }
  gate.open();
  int seen = 0;
  for (auto [index, execution] : weft::as_completed(executions)) seen += execution.get() >= 0 ? 1 : 0;
  EXPECT_EQ(seen, 101);
}

TEST(Combinators, wait_for_executions_of_several_pools_and_workers) {
  weft::Pool first{{.limit = 1}};
  weft::Worker worker;
  std::vector<weft::Execution<int>> executions;
  {
    weft::Pool second{{.limit = 1}};
    for (int i = 0; i < 300; i += 3) {
      executions.push_back(first.submit<doubled>(i));
      executions.push_back(second.submit<doubled>(i + 1));
      executions.push_back(worker.submit<doubled>(i + 2));
    }
    const std::vector<int> values = weft::all(executions);
    EXPECT_EQ(std::accumulate(values.begin(), values.end(), 0), 300 * 299);
  }
  EXPECT_EQ(weft::all(executions).back(), 598) << "though one of the pools is gone";
}

TEST(Combinators, tell_of_executions_whose_pool_is_killed) {
  Ints executions;
  const Gate gate;
  weft::Pool other{{.limit = 1}};
  executions.push_back(other.submit<doubled>(1));
  {
    weft::Pool pool{{.limit = 1}};
    for (int i = 0; i < 10; ++i) executions.push_back(pool.submit<behind>(gate.path(), 1));
    std::thread killer{[&] {
      while (pool.status().running == 0) std::this_thread::yield();
      pool.kill();
    }};
    const auto outcomes = weft::all_settled(executions);
    killer.join();
    EXPECT_TRUE(outcomes[0]);
    for (std::size_t i = 1; i < outcomes.size(); ++i) EXPECT_FALSE(outcomes[i]);
  }
}

TEST(Combinators, refuse_an_execution_of_no_task) {
  weft::Pool pool{{.limit = 1}};
  Ints executions = doubles(pool, 2);
  executions.emplace_back();
  EXPECT_THROW(weft::all(executions), weft::ArgumentError);
  EXPECT_THROW(static_cast<void>(weft::as_completed(executions)), weft::ArgumentError);
  executions.pop_back();
  EXPECT_EQ(weft::all(executions), (std::vector{0, 2}));
}

TEST(Combinators, suspend_only_the_fiber_that_waits) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  Ints gated;
  gated.push_back(pool.submit<behind>(gate.path(), 3));
  int finished = 0;
  boost::fibers::fiber waits{[&] {
    EXPECT_EQ(weft::all(gated), std::vector{3});
    EXPECT_EQ(finished, 20) << "it was behind all the others";
  }};
  std::vector<boost::fibers::fiber> fibers;
  for (int f = 0; f < 20; ++f) {
    fibers.emplace_back([&] {
      for (auto [index, execution] : weft::as_completed(doubles(pool, 50))) {
        EXPECT_EQ(execution.get(), 2 * static_cast<int>(index));
      }
      if (++finished == 20) gate.open();
    });
  }
  for (auto& fiber : fibers) fiber.join();
  waits.join();
}

TEST(Combinators, are_used_by_many_threads_at_once) {
  weft::Pool pool{{.limit = 2}};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        Ints executions = doubles(pool, 20);
        EXPECT_LT(weft::first(executions), 40);
        EXPECT_EQ(weft::any_n(executions, 20).size(), 20U);
        EXPECT_EQ(weft::all(executions).back(), 38);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(Combinators, let_a_sleeping_thread_be_woken) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  Ints executions;
  executions.push_back(pool.submit<behind>(gate.path(), 1));
  const pid_t waiting = ::gettid();
  std::thread opener{[&] {
    for (std::string state; state != "S";) {
      std::ifstream stat{"/proc/self/task/" + std::to_string(waiting) + "/stat"};
      for (std::string name; name.empty() || name.back() != ')';) stat >> name;
      stat >> state;
    }
    gate.open();
  }};
  EXPECT_EQ(weft::all(executions), std::vector{1});
  opener.join();
}

TEST(Execution, does_not_let_its_callbacks_wait_on_whatever_thread) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  auto never_before = pool.submit<behind>(gate.path(), 1);
  std::atomic<int> refused_everything{0};
  const Gate other_gate;
  Ints executions;
  executions.push_back(pool.submit<behind>(other_gate.path(), 0));
  for (int i = 1; i < 50; ++i) executions.push_back(pool.submit<doubled>(i));  // both workers wait
  for (auto& each : executions) {
    each.then([&](int) {
      EXPECT_THROW(never_before.wait(), weft::Error);
      EXPECT_THROW(weft::first(never_before), weft::Error);
      EXPECT_THROW(pool.shutdown(), weft::Error);
      ++refused_everything;
    });
  }
  other_gate.open();
  weft::all(executions);
  while (refused_everything < 50) std::this_thread::yield();  // some may run on weft's own thread
  gate.open();
  EXPECT_EQ(never_before.get(), 1);
}

TEST(Execution, runs_any_number_of_callbacks_in_order) {
  weft::Pool pool{{.limit = 1}};
  const Gate gate;
  auto execution = pool.submit<behind>(gate.path(), 1);
  std::vector<int> order;
  for (int i = 0; i < 100'000; ++i) execution.then([&order, i](int) { order.push_back(i); });
  gate.open();
  execution.wait();
  pool.shutdown();
  ASSERT_EQ(order.size(), 100'000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

}  // namespace
}  // namespace weft::contract
