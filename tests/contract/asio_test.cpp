// Executions in Boost.Asio's event loops.

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>
#include <weft/asio.hpp>
#include <weft/weft.hpp>

#include "contract/gate.hpp"

#ifdef BOOST_ASIO_HAS_CO_AWAIT
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#endif

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace weft::contract {
namespace {

int doubled(int number) { return 2 * number; }
void nothing() {}
int refused() { throw std::invalid_argument{"no"}; }
std::string text(std::string of) { return of; }

TEST(Asio, reads_as_in_the_readme) {
  weft::Pool pool{{.limit = 2}};
  asio::io_context context;
  int answer = 0;
  auto page = weft::async_get(pool.submit<text>("page"), asio::use_future);
  weft::async_get(pool.submit<doubled>(21),
                  asio::bind_executor(context, [&](std::exception_ptr error, int value) {
                    if (!error) answer = value;
                  }));
  context.run();
  EXPECT_EQ(answer, 42);
  EXPECT_EQ(page.get(), "page");
}

TEST(Asio, calls_back_on_the_executor_that_the_token_names) {
  Pool pool{{.limit = 2}};
  asio::io_context context;
  int sum = 0;
  for (int i = 0; i < 100; ++i) {
    async_get(pool.submit<doubled>(i), asio::bind_executor(context, [&, here = std::this_thread::get_id()](
                                                                        std::exception_ptr error, int value) {
                EXPECT_EQ(error, nullptr);
                EXPECT_EQ(std::this_thread::get_id(), here);
                sum += value;
              }));
  }
  EXPECT_EQ(sum, 0) << "never inside the function that starts the wait";
  context.run();  // returns when all have come: the context has work until then
  EXPECT_EQ(sum, 9900);
}

TEST(Asio, completes_what_is_there_already) {
  Pool pool{{.limit = 1}};
  auto ready = pool.submit<doubled>(1);
  ready.wait();
  asio::io_context context;
  int value = 0;
  async_get(ready, asio::bind_executor(context, [&](std::exception_ptr, int got) { value = got; }));
  EXPECT_EQ(value, 0);
  context.run();
  EXPECT_EQ(value, 2);
  EXPECT_EQ(ready.get(), 2) << "passed by name, it stays the caller's";
}

TEST(Asio, hands_over_values_and_failures_in_futures) {
  Pool pool{{.limit = 2}};
  EXPECT_EQ(async_get(pool.submit<text>("words"), asio::use_future).get(), "words");
  async_get(pool.submit<nothing>(), asio::use_future).get();
  EXPECT_THROW(async_get(pool.submit<refused>(), asio::use_future).get(), std::invalid_argument);
  EXPECT_THROW(async_get(pool.submit([] { std::_Exit(2); }), asio::use_future).get(), WorkerExited);
  auto execution = pool.submit<refused>();
  async_wait(execution, asio::use_future).get();
  EXPECT_TRUE(execution.ready());
  EXPECT_THROW(execution.get(), std::invalid_argument);
}

TEST(Asio, takes_handlers_that_can_only_be_moved) {
  Pool pool{{.limit = 1}};
  asio::io_context context;
  int seen = 0;
  async_get(pool.submit<doubled>(3),
            asio::bind_executor(context, [&seen, owned = std::make_unique<int>(1)](
                                             std::exception_ptr, int got) { seen = got + *owned; }));
  context.run();
  EXPECT_EQ(seen, 7);
  auto watched = std::make_shared<int>(0);
  context.restart();
  async_wait(pool.submit<nothing>(),
             asio::bind_executor(context, [watched](boost::system::error_code) { ++*watched; }));
  context.run();
  EXPECT_EQ(*watched, 1);
  EXPECT_EQ(watched.use_count(), 1) << "nothing of the handler is kept";
}

TEST(Asio, cancels_the_wait_and_not_the_task) {
  Pool pool{{.limit = 1}};
  const Gate gate;
  auto execution = pool.submit<behind>(gate.path(), 5);
  asio::io_context context;
  asio::cancellation_signal signal;
  boost::system::error_code code;
  std::exception_ptr failure;
  for (int i = 0; i < 100; ++i) {
    async_wait(execution,
               asio::bind_cancellation_slot(signal.slot(),
                                            asio::bind_executor(context, [&](auto error) { code = error; })));
    asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
    context.run();
    context.restart();
    ASSERT_EQ(code, asio::error::operation_aborted);
  }
  async_get(execution, asio::bind_cancellation_slot(
                           signal.slot(), asio::bind_executor(context, [&](std::exception_ptr error, int) {
                             failure = error;
                           })));
  asio::post(context, [&] { signal.emit(asio::cancellation_type::total); });
  context.run();
  EXPECT_THROW(std::rethrow_exception(failure), boost::system::system_error);
  EXPECT_FALSE(execution.ready());
  gate.open();
  EXPECT_EQ(execution.get(), 5);
}

TEST(Asio, is_not_disturbed_by_a_cancellation_that_comes_too_late) {
  Pool pool{{.limit = 1}};
  asio::io_context context;
  asio::cancellation_signal signal;
  int completions = 0;
  for (int i = 0; i < 500; ++i) {
    async_get(pool.submit<doubled>(i),
              asio::bind_cancellation_slot(signal.slot(),
                                           asio::bind_executor(context, [&](std::exception_ptr, int) {
                                             ++completions;
                                             signal.emit(asio::cancellation_type::all);
                                           })));
    if (i % 2 == 0) asio::post(context, [&] { signal.emit(asio::cancellation_type::all); });
    context.run();
    context.restart();
    ASSERT_EQ(completions, i + 1);
  }
}

TEST(Asio, serves_many_threads_and_strands) {
  Pool pool{{.limit = 2}};
  asio::thread_pool threads{3};
  auto strand = asio::make_strand(threads);
  int sum = 0;
  for (int i = 0; i < 2000; ++i) {
    async_get(pool.submit<doubled>(i),
              asio::bind_executor(strand, [&](std::exception_ptr, int value) { sum += value; }));
  }
  threads.join();
  EXPECT_EQ(sum, 1999 * 2000);
}

#ifdef BOOST_ASIO_HAS_CO_AWAIT

TEST(Asio, is_awaited_in_coroutines_among_timers) {
  using asio::experimental::awaitable_operators::operator||;
  Pool pool{{.limit = 2}};
  const Gate gate;
  asio::io_context context;
  std::vector<std::string> story;
  const auto here = std::this_thread::get_id();
  auto slow = pool.submit<behind>(gate.path(), 7);
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        story.push_back(co_await async_get(pool.submit<text>("words"), asio::use_awaitable));
        EXPECT_EQ(std::this_thread::get_id(), here) << "back on its own thread";
        try {
          co_await async_get(pool.submit<refused>(), asio::use_awaitable);
        } catch (const std::invalid_argument& error) {
          story.push_back(error.what());
        }
        asio::steady_timer timer{context, 1ms};
        const auto winner =
            co_await (async_get(slow, asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
        story.push_back(winner.index() == 1 ? "too slow" : "in time");
        gate.open();
        co_await async_wait(slow, asio::use_awaitable);
        story.push_back(std::to_string(slow.get()));
      },
      [](std::exception_ptr error) { EXPECT_EQ(error, nullptr); });
  context.run();
  EXPECT_EQ(story, (std::vector<std::string>{"words", "no", "too slow", "7"}));
}

#endif

}  // namespace
}  // namespace weft::contract
