// base/mutex.hpp and base/mutex.cpp, whose ::syscall is compiled as weft_model_syscall: one holder at a time, what it
// did is seen by the next, and nobody sleeps for good.

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include <array>
#include <cstdarg>
#include <cstdint>

#include "base/mutex.hpp"
#include "engine.hpp"
#include "suite.hpp"

namespace weft::model {
namespace {

enum class Kernel : std::uint8_t { fences, ignores, refuses };
// What membarrier(2) does: a fence on every thread; nothing, without a word (the mutation); an error, as under a filter.
Kernel membarrier_kind = Kernel::fences;

struct MutexPlan {
  unsigned threads;
  std::array<std::uint32_t, 3> rounds;  ///< how often each thread locks
  Kernel kernel = Kernel::fences;
  bool last_words = false;  ///< each gives it back as one does after whom it may be destroyed
  bool seated = false;      ///< thread 0 begins with a seat
  std::uint32_t seats = 0;  ///< the threads that are given one on their way, a bit each
};

class MutexScenario final : public Scenario {
 public:
  explicit MutexScenario(const MutexPlan& plan) : plan_{plan} {
    membarrier_kind = plan.kernel;
    if (plan.seated) {
      base::modelled_seats = 1;  // Out here this is thread 0.
      mutex_.lock();
      mutex_.unlock();
    }
    base::modelled_seats = plan.seats;
    name_word(&mutex_, "mutex");
    name_word(&data_, "data");
  }
  [[nodiscard]] unsigned thread_count() const override { return plan_.threads; }
  [[nodiscard]] bool interrupted() const override { return true; }
  void run(unsigned thread) override {
    for (std::uint32_t i = 0; i < plan_.rounds[thread]; ++i) {
      mutex_.lock();
      plain_store(&data_, plain_load(&data_) + 1);
      if (plan_.last_words) {
        mutex_.unlock_before_destruction();
      } else {
        mutex_.unlock();
      }
    }
  }

 private:
  MutexPlan plan_;
  base::Mutex mutex_;
  std::uint32_t data_ = 0;
};

// Three threads are too many to explore with plain memory, so what the mutex guards is a relaxed word here: whoever does
// not see all that the last holder did reads a count that somebody else has read.
class CountingScenario final : public Scenario {
 public:
  explicit CountingScenario(unsigned threads) : threads_{threads} {
    membarrier_kind = Kernel::fences;
    base::modelled_seats = 0;
  }
  [[nodiscard]] unsigned thread_count() const override { return threads_; }
  [[nodiscard]] bool interrupted() const override { return true; }
  [[nodiscard]] bool checkpoints() const override { return true; }
  void run(unsigned thread) override {
    mutex_.lock();
    seen_[thread] = count_.load(base::relaxed);
    count_.store(seen_[thread] + 1, base::relaxed);
    mutex_.unlock();
    checkpoint(seen_[thread]);
  }
  void end() override {
    for (unsigned i = 0; i < threads_; ++i) {
      for (unsigned j = 0; j < i; ++j) require(seen_[i] != seen_[j], "two threads held the mutex at a time");
    }
  }

 private:
  unsigned threads_;
  base::Mutex mutex_;
  base::Atomic<std::uint32_t> count_;
  std::array<std::uint32_t, 3> seen_{};
};

std::vector<Case> mutex_cases() {
  return {
      make_case<MutexScenario>("mutex: two threads, once each", MutexPlan{2, {1, 1}}),
      make_case<MutexScenario>("mutex: one thread twice, one once", MutexPlan{2, {2, 1}}),
      make_case<MutexScenario>("mutex: given back for good", MutexPlan{2, {1, 1}, Kernel::fences, true}),
      make_case<CountingScenario>("mutex: two threads, once each, counting", 2U),
      make_case<MutexScenario>("mutex: one with a seat, and another",
                               MutexPlan{2, {1, 1}, Kernel::fences, false, true}),
  };
}

TEST(MutexModel, one_holder_at_a_time_and_nobody_sleeps_for_good) { expect_all_hold(mutex_cases()); }

// Minutes of processor time; run these when the mutex changes: --gtest_also_run_disabled_tests.
TEST(MutexModel, DISABLED_a_seat_is_given_and_taken_back) {
  expect_all_hold({
      make_case<MutexScenario>("mutex: one that is given a seat, and another",
                               MutexPlan{2, {2, 1}, Kernel::fences, false, false, 1}),
      make_case<MutexScenario>("mutex: one with a seat, twice, and another",
                               MutexPlan{2, {2, 1}, Kernel::fences, false, true}),
  });
}

TEST(MutexModel, DISABLED_one_holder_at_a_time_with_three_threads) {
  expect_all_hold({make_case<CountingScenario>("mutex: three threads, once each, counting", 3U)});
}

TEST(MutexModel, each_of_its_orderings_and_stores_is_needed) {
  expect_each_mutation_is_found(mutex_cases(), {"src/base/mutex.hpp", "src/base/mutex.cpp"}, 3);
}

TEST(MutexModel, without_the_fence_on_every_thread_somebody_would_sleep_for_good) {
  const Report report =
      make_case<MutexScenario>("ignored", MutexPlan{2, {2, 1}, Kernel::ignores}).explore(Options{});
  EXPECT_NE(report.failure.find("sleeps in a futex"), std::string::npos) << report.failure;
}

TEST(MutexModel, where_the_kernel_refuses_the_fence_sleeps_are_cut_into_pieces_and_nothing_is_lost) {
  expect_all_hold({make_case<MutexScenario>("mutex: no membarrier", MutexPlan{2, {2, 1}, Kernel::refuses})});
}

}  // namespace
}  // namespace weft::model

// In place of syscall(2), for base/mutex.cpp.
extern "C" long weft_model_syscall(long number, ...) {
  using namespace weft::model;
  std::va_list arguments;
  va_start(arguments, number);
  long result = -1;
  if (number == SYS_membarrier) {
    const int command = va_arg(arguments, int);
    // Registering is asked for once in a process's life, so it must not depend on the plan.
    if (command == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) {
      result = 0;
    } else if (membarrier_kind != Kernel::refuses) {
      if (membarrier_kind == Kernel::fences) process_wide_fence();
      result = 0;
    }
  } else if (number == SYS_futex) {
    void* const word = va_arg(arguments, void*);
    const int operation = va_arg(arguments, int) & ~FUTEX_PRIVATE_FLAG;
    const std::uint32_t value = va_arg(arguments, std::uint32_t);
    const void* const timeout = va_arg(arguments, const void*);
    if (operation == FUTEX_WAKE) {
      futex_wake_one(word);
      result = 1;
    } else {
      result = futex_wait(word, value, timeout != nullptr) ? 0 : -1;
    }
  }
  va_end(arguments);
  return result;
}
