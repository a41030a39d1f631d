// One function over many items: how they are cut into tasks is the pool's matter, and nobody can tell from the values.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <list>
#include <map>
#include <numeric>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

#include "crash/scratch.hpp"

namespace {

double root(double number) { return std::sqrt(number); }
std::uint64_t twice(std::uint64_t number) { return number * 2; }
std::string louder(std::string_view text) { return std::string{text} + "!"; }
std::uint64_t worker(weft::TaskScope& scope, int) { return scope.worker_id(); }
std::size_t size_of(const weft::Buffer& buffer) { return buffer.size(); }
int refuses_seven(int number) {
  if (number == 7) throw std::invalid_argument{"seven"};
  return number;
}
int dies_at_seven(int number) {
  if (number == 7) std::abort();
  return number;
}
struct Difference {
  int from;
  int what;
  int run() const { return from - what; }
};

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class Map : public testing::Test {
 protected:
  weft::Pool pool{{.limit = 2}};
};

TEST_F(Map, gives_the_values_in_the_order_of_the_range) {
  const std::vector<double> squares{1, 4, 9, 16};
  EXPECT_EQ(pool.map<root>(squares), (std::vector<double>{1, 2, 3, 4}));
  const std::vector<std::uint64_t> doubled = pool.map<twice>(numbers(100'000));
  ASSERT_EQ(doubled.size(), 100'000U);
  for (std::uint64_t i = 0; i < doubled.size(); ++i) ASSERT_EQ(doubled[i], 2 * i);
}

TEST_F(Map, takes_any_range) {
  EXPECT_TRUE(pool.map<root>(std::vector<double>{}).empty());
  EXPECT_EQ(pool.map<louder>(std::list<std::string>{"a", "b"}), (std::vector<std::string>{"a!", "b!"}));
  EXPECT_EQ(pool.map<twice>(std::views::iota(0, 3)), (std::vector<std::uint64_t>{0, 2, 4}));
  // One that nobody knows the length of.
  auto odd = numbers(10) | std::views::filter([](int number) { return number % 2 == 1; });
  EXPECT_EQ(pool.map<twice>(odd), (std::vector<std::uint64_t>{2, 6, 10, 14, 18}));
  EXPECT_EQ(pool.map<size_of>(std::vector<weft::Buffer>(1000)), std::vector<std::size_t>(1000));
}

TEST_F(Map, runs_lambdas_and_aggregates) {
  const int offset = 3;
  EXPECT_EQ(pool.map([offset](int number) { return number + offset; }, numbers(3)),
            (std::vector<int>{3, 4, 5}));
  EXPECT_EQ(pool.map([](const auto& text) { return text.size(); }, std::vector<std::string>{"", "ab"}),
            (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(pool.map(std::vector<Difference>{{3, 1}, {1, 3}}), (std::vector<int>{2, -2}));
}

TEST_F(Map, sends_many_short_items_in_few_tasks_and_as_many_as_it_is_told) {
  const auto tasks = [&] { return pool.status().finished; };
  static_cast<void>(pool.map<twice>(numbers(100'000)));
  EXPECT_LT(tasks(), 10'000U);
  const auto before = tasks();
  static_cast<void>(pool.map<twice>(numbers(1000), {.batch = 100}));
  EXPECT_EQ(tasks() - before, 10U);
}

TEST_F(Map, uses_all_workers_for_long_items) {
  const auto slow = [](weft::TaskScope& scope, int) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    return scope.worker_id();
  };
  const auto workers = pool.map(slow, numbers(100));
  EXPECT_EQ(std::set<std::uint64_t>(workers.begin(), workers.end()).size(), 2U);
}

TEST_F(Map, throws_what_an_item_threw) {
  EXPECT_THROW(pool.map<refuses_seven>(numbers(100)), std::invalid_argument);
  EXPECT_THROW(pool.for_each<refuses_seven>(numbers(100)), std::invalid_argument);
  EXPECT_THROW(pool.map<dies_at_seven>(numbers(100)), weft::WorkerCrashed);
  EXPECT_EQ(pool.map<twice>(numbers(2)), (std::vector<std::uint64_t>{0, 2})) << "the pool goes on";
}

TEST_F(Map, takes_back_what_has_not_begun_when_one_failed) {
  const weft::crash::Scratch scratch;
  const auto fail_first = [](int number) {
    if (number == 0) throw std::runtime_error{"the first"};
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  };
  EXPECT_THROW(pool.for_each(fail_first, numbers(10'000), {.batch = 1}), std::runtime_error);
  pool.wait_idle();
  EXPECT_LT(pool.status().finished, 100U);
}

TEST_F(Map, for_each_sends_no_values) {
  struct Untransferable {
    explicit Untransferable(int) {}
    int* pointer = nullptr;
  };
  pool.for_each([](int number) { return Untransferable{number}; }, numbers(10));
  EXPECT_NE(pool.status().finished, 0U);
}

TEST_F(Map, heeds_the_terms_of_the_submission) {
  EXPECT_THROW(pool.with({.deadline = std::chrono::steady_clock::now()}).map<twice>(numbers(10)),
               weft::TimedOut);
}

TEST_F(Map, is_there_for_a_single_worker_too) {
  weft::Worker worker_;
  EXPECT_EQ(worker_.map<worker>(numbers(3)), (std::vector<std::uint64_t>{1, 1, 1}));
}

}  // namespace
