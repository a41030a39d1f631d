// Callbacks of executions: which one is for what, and that no failure gets lost between them.

#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

#include "contract/kinds.hpp"

namespace weft::contract {
namespace {

int identity(int number) { return number; }
int refuse() { throw std::invalid_argument{"refused"}; }

/// Collects what goes to on_unheard_failure() while it lives.
class Unheard {
 public:
  Unheard() {
    on_unheard_failure([this](const std::exception_ptr& failure) {
      const std::lock_guard guard{mutex_};
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        texts_.emplace_back(error.what());
      }
    });
  }
  ~Unheard() { on_unheard_failure({}); }
  std::vector<std::string> texts() {
    const std::lock_guard guard{mutex_};
    return texts_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

class Callbacks : public testing::TestWithParam<WorkerKind> {
 protected:
  Unheard unheard;
  Pool pool{pool_of(GetParam())};
  const std::vector<std::string> nothing;
};

TEST_P(Callbacks, finally_is_for_values_and_failures) {
  std::atomic<int> called = 0;
  auto value = pool.submit<identity>(1);
  value.finally([&] { ++called; });
  auto failure = pool.submit<refuse>();
  failure.finally([&] { ++called; });
  EXPECT_EQ(value.get(), 1);
  EXPECT_THROW(failure.get(), std::invalid_argument);
  pool.shutdown();
  EXPECT_EQ(called, 2);
  EXPECT_EQ(unheard.texts(), nothing);
}

TEST_P(Callbacks, let_no_failure_get_lost_that_none_of_them_was_for) {
  static_cast<void>(pool.submit<refuse>().then([](int) {}).fail<std::out_of_range>([](const auto&) {}));
  pool.shutdown();
  EXPECT_EQ(unheard.texts(), std::vector<std::string>{"refused"})
      << "once, though two callbacks passed it by";
}

TEST_P(Callbacks, that_were_for_the_failure_suffice) {
  int failures = 0;
  static_cast<void>(
      pool.submit<refuse>().then([](int) {}).fail<std::invalid_argument>([&](const auto&) { ++failures; }));
  static_cast<void>(pool.submit<refuse>().fail([&](const std::exception&) { ++failures; }).then([](int) {}));
  pool.shutdown();
  EXPECT_EQ(failures, 2);
  EXPECT_EQ(unheard.texts(), nothing);
}

TEST_P(Callbacks, may_leave_the_failure_to_who_gets_it) {
  {
    auto execution = pool.submit<refuse>();
    execution.then([](int) {});
    EXPECT_THROW(execution.get(), std::invalid_argument);
  }
  {
    auto execution = pool.submit<refuse>();
    execution.wait();
    execution.then([](int) {});  // it has settled
    EXPECT_EQ(unheard.texts(), nothing) << "it can still be got";
  }
  EXPECT_EQ(unheard.texts(), std::vector<std::string>{"refused"});
}

TEST_P(Callbacks, are_what_it_is_about_and_nothing_is_told_of_those_who_asked_for_none) {
  static_cast<void>(pool.submit<refuse>());
  pool.shutdown();
  EXPECT_EQ(unheard.texts(), nothing);
}

INSTANTIATE_TEST_SUITE_P(Of, Callbacks, testing::ValuesIn(kKindsBeside), kKindNamed);

}  // namespace
}  // namespace weft::contract
