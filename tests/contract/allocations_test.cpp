// On the loaded path nothing is allocated, on either side, and payloads are not copied more than they must be.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>
#include <weft/weft.hpp>

#include "contract/counted.hpp"

namespace weft::contract {
namespace {

struct Point {
  double x, y, z;
};

int identity(int number) { return number; }
Point mirrored(Point point) { return {-point.x, -point.y, -point.z}; }
void nothing() {}
std::size_t length_of(std::string_view text) { return text.size(); }
std::string text_of(std::size_t size) { return std::string(size, 't'); }
Buffer same(Buffer buffer) { return buffer; }
Buffer made(std::size_t size) { return Buffer{size}; }

constexpr std::size_t kBytes = 1 << 20;

class Counted : public testing::Test {
 protected:
  void SetUp() override {
    if (!kCounts) GTEST_SKIP() << "a sanitizer stands where this counts, or the processor is another";
  }
  std::uint64_t allocations_of_worker() { return pool.submit<allocations_so_far>().get(); }
  std::uint64_t copied_by_worker() { return pool.submit<copied_bytes_so_far>().get(); }

  /// What Boost.Fiber allocates for a thread that wakes a fiber the first time: the attendant, on a machine that has much to do.
  static constexpr std::uint64_t kOnce = 8;

  /// `rounds` is so many tasks. The budgets of one, none, are tests/budget/budgets.json's.
  template <class Rounds>
  void expect_no_allocation(std::uint64_t tasks, Rounds rounds) {
    rounds();  // tables, rings and stacks grow to what is needed
    static_cast<void>(allocations_of_worker());
    const std::uint64_t worker_before = allocations_of_worker();
    const std::uint64_t before = allocations_so_far();
    rounds();
    EXPECT_LE(allocations_so_far() - before, WEFT_BUDGET_PARENT * tasks + kOnce) << "in the program";
    EXPECT_LE(allocations_of_worker() - worker_before, WEFT_BUDGET_WORKER * tasks) << "in the worker";
  }

  Pool pool{{.limit = 1}};
};

TEST_F(Counted, tasks_of_plain_values_allocate_nothing) {
  expect_no_allocation(10'000, [&] {
    for (int i = 0; i < 10'000; ++i) {
      if (pool.submit<identity>(i).get() != i) FAIL();
    }
  });
  expect_no_allocation(2'000, [&] {
    for (int i = 0; i < 2'000; ++i) pool.submit<nothing>().get();
  });
  expect_no_allocation(2'000, [&] {
    for (int i = 0; i < 2'000; ++i) {
      if (pool.submit<mirrored>(Point{1, 2, 3}).get().x != -1) FAIL();
    }
  });
  expect_no_allocation(2'000, [&] {
    const int factor = 3;
    for (int i = 0; i < 2'000; ++i) {
      if (pool.submit([factor](int x) { return factor * x; }, i).get() != factor * i) FAIL();
    }
  });
}

TEST_F(Counted, tasks_in_flight_together_allocate_nothing) {
  std::vector<Execution<int>> executions(256);
  expect_no_allocation(40 * executions.size(), [&] {
    for (int round = 0; round < 40; ++round) {
      for (auto& each : executions) each = pool.submit<identity>(round);
      for (auto& each : executions) {
        if (each.get() != round) FAIL();
      }
    }
  });
}

TEST_F(Counted, buffers_are_not_copied) {
  const Buffer buffer{kBytes};
  static_cast<void>(pool.submit<same>(buffer).get());
  const std::uint64_t worker_before = copied_by_worker();
  const std::uint64_t before = copied_bytes_so_far();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pool.submit<same>(buffer).get().data(), buffer.data());
    const Buffer theirs = pool.submit<made>(kBytes).get();
    EXPECT_EQ(theirs.size(), kBytes);
    EXPECT_EQ(pool.submit<same>(theirs).get().size(), kBytes);
  }
  EXPECT_EQ(copied_bytes_so_far() - before, 0U);
  EXPECT_EQ(copied_by_worker() - worker_before, 0U);
}

TEST_F(Counted, other_arguments_are_copied_once) {
  const std::string text(kBytes, 'x');
  EXPECT_EQ(pool.submit<length_of>(text).get(), kBytes);
  const std::uint64_t worker_before = copied_by_worker();
  const std::uint64_t before = copied_bytes_so_far();
  EXPECT_EQ(pool.submit<length_of>(text).get(), kBytes);
  EXPECT_LE(copied_bytes_so_far() - before, kBytes) << "into shared memory";
  EXPECT_EQ(copied_by_worker() - worker_before, 0U) << "a view reads it there";
}

TEST_F(Counted, other_results_are_copied_once_into_shared_memory_and_once_into_the_value) {
  EXPECT_EQ(pool.submit<text_of>(kBytes).get().size(), kBytes);
  const std::uint64_t worker_before = copied_by_worker();
  auto execution = pool.submit<text_of>(kBytes);
  execution.wait();
  EXPECT_LE(copied_by_worker() - worker_before, kBytes);
  const std::uint64_t before = copied_bytes_so_far();
  const std::string text = execution.get();
  EXPECT_EQ(text.size(), kBytes);
  EXPECT_LE(copied_bytes_so_far() - before, kBytes);
}

TEST(TheCount, notices_what_it_counts) {
  if (!kCounts) GTEST_SKIP() << "a sanitizer stands where this counts, or the processor is another";
  const std::uint64_t allocations = allocations_so_far();
  const std::uint64_t copied = copied_bytes_so_far();
  const std::vector<char> first(kBytes, 'a');
  const std::vector<char> second{first};
  EXPECT_EQ(second.back(), 'a');
  EXPECT_GE(allocations_so_far() - allocations, 2U);
  EXPECT_GE(copied_bytes_so_far() - copied, kBytes);
}

}  // namespace
}  // namespace weft::contract
