// co_await of executions, in coroutines of a type that weft knows nothing of.

#include <gtest/gtest.h>

#include <coroutine>
#include <exception>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"

namespace weft::contract {
namespace {

/// The least that a coroutine can return: it starts at once, and its result goes into a future.
template <class T>
struct Eager {
  struct promise_type {
    std::promise<T> promise;
    Eager get_return_object() {
      return {promise.get_future(), std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_value(T value) { promise.set_value(std::move(value)); }
    void unhandled_exception() { promise.set_exception(std::current_exception()); }
  };
  std::future<T> future;
  std::coroutine_handle<promise_type> handle;
};

int doubled(int number) { return 2 * number; }
int square(int number) { return number * number; }
void nothing() {}
int refused() { throw std::invalid_argument{"no"}; }
std::vector<std::string> words(std::string of) { return {of, of}; }

Eager<int> sum_to(weft::Pool& pool, int last) {
  int sum = 0;
  for (int i = 0; i <= last; ++i) sum += co_await pool.submit<doubled>(i);
  co_return sum;
}

Eager<int> sum_of_squares(weft::Pool& pool, int last) {
  int sum = 0;
  for (int i = 1; i <= last; ++i) sum += co_await pool.submit<square>(i);
  co_return sum;
}

TEST(Coroutine, reads_as_in_the_readme) {
  weft::Pool pool{{.limit = 2}};
  EXPECT_EQ(sum_of_squares(pool, 10).future.get(), 385);
}

TEST(Coroutine, goes_on_with_the_value_while_its_thread_does_something_else) {
  weft::Pool pool{{.limit = 2}};
  auto one = sum_to(pool, 1000);
  auto two = sum_to(pool, 100);
  EXPECT_EQ(two.future.get(), 10'100) << "a std::future: weft's own thread resumes them";
  EXPECT_EQ(one.future.get(), 1'001'000);
}

TEST(Coroutine, awaits_executions_by_name_and_more_than_once) {
  weft::Pool pool{{.limit = 2}};
  auto sum = [](weft::Pool& of) -> Eager<std::string> {
    auto text = of.submit<words>("a");
    auto done = of.submit<nothing>();
    co_await done;
    const std::vector<std::string> first = co_await text;
    const std::vector<std::string> again = co_await text;
    co_return first[0] + again[1];
  }(pool);
  EXPECT_EQ(sum.future.get(), "aa");
}

TEST(Coroutine, catches_what_the_task_threw) {
  weft::Pool pool{{.limit = 1}};
  auto caught = [](weft::Pool& of) -> Eager<std::string> {
    std::string text;
    try {
      co_await of.submit<refused>();
    } catch (const std::invalid_argument& error) {
      text = error.what();
    }
    try {
      co_await of.submit([] { std::_Exit(3); });
    } catch (const weft::WorkerExited& error) {
      text += std::to_string(error.code());
    }
    co_return text;
  }(pool);
  EXPECT_EQ(caught.future.get(), "no3");
  auto uncaught = [](weft::Pool& of) -> Eager<int> { co_return co_await of.submit<refused>(); }(pool);
  EXPECT_THROW(uncaught.future.get(), std::invalid_argument);
}

TEST(Coroutine, does_not_leave_its_thread_for_what_is_there_already) {
  weft::Pool pool{{.limit = 1}};
  auto ready = pool.submit<doubled>(1);
  ready.wait();
  auto where = [](weft::Execution<int>& execution) -> Eager<std::thread::id> {
    co_await execution;
    co_return std::this_thread::get_id();
  }(ready);
  EXPECT_EQ(where.future.get(), std::this_thread::get_id());
}

TEST(Coroutine, that_is_destroyed_while_it_waits_is_not_resumed) {
  weft::Pool pool{{.limit = 1}};
  const Gate gate;
  auto execution = pool.submit<behind>(gate.path(), 'x');
  const auto waits = [](weft::Execution<int>& on, bool& resumed) -> Eager<int> {
    const int value = co_await on;
    resumed = true;
    co_return value;
  };
  bool resumed = false;
  for (int i = 0; i < 1000; ++i) waits(execution, resumed).handle.destroy();
  auto stays = waits(execution, resumed);
  EXPECT_FALSE(resumed);
  gate.open();
  EXPECT_EQ(stays.future.get(), 'x') << "the execution went on, and only the one that is left was told";
  EXPECT_EQ(execution.get(), 'x');
}

TEST(Coroutine, takes_its_execution_and_its_pool_with_it) {
  for (int i = 0; i < 20; ++i) {
    auto last = []() -> Eager<int> {
      weft::Pool pool{{.limit = 1}};
      co_return co_await pool.submit<doubled>(4);
    }();
    EXPECT_EQ(last.future.get(), 8);
  }
}

TEST(Coroutine, is_resumed_by_whoever_waits_for_the_same_pool) {
  weft::Pool pool{{.limit = 2}};
  std::vector<Eager<int>> sums;
  for (int i = 0; i < 100; ++i) sums.push_back(sum_to(pool, 20));
  std::vector<weft::Execution<int>> others;
  for (int i = 0; i < 1000; ++i) others.push_back(pool.submit<doubled>(i));
  EXPECT_EQ(weft::all(others).back(), 1998);
  for (auto& sum : sums) EXPECT_EQ(sum.future.get(), 420);
}

TEST(Coroutine, is_refused_to_wait_otherwise_after_it_was_resumed) {
  weft::Pool pool{{.limit = 2}};
  const Gate gate;
  auto late = pool.submit<behind>(gate.path(), 'x');
  auto early_gate = std::make_unique<Gate>();
  auto waits = [](weft::Execution<int> first, weft::Execution<int>& second) -> Eager<int> {
    co_await first;
    co_return second.get();
  }(pool.submit<behind>(early_gate->path(), 'y'), late);
  early_gate->open();
  EXPECT_THROW(waits.future.get(), weft::Error);
  gate.open();
  EXPECT_EQ(late.get(), 'x');
}

}  // namespace
}  // namespace weft::contract
