// link/stop_log.hpp: every call that shall stop is told once, in order, to a reader that sleeps by the head's value.

#include <gtest/gtest.h>

#include <cstdint>

#include "base/atomic.hpp"
#include "engine.hpp"
#include "link/stop_log.hpp"
#include "suite.hpp"

namespace weft::model {
namespace {

// Two entries, so that they are used again.
class StopLogScenario final : public Scenario {
 public:
  explicit StopLogScenario(std::uint32_t stops) : stops_{stops} {
    name_word(&log_.head, "head");
    name_word(&log_.calls[0], "entry", 0);
    name_word(&log_.calls[1], "entry", 1);
    name_word(&read_, "read");
  }
  [[nodiscard]] unsigned thread_count() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      for (std::uint64_t call = 1; call <= stops_; ++call) {
        poll([&] { return log_.write(call, read_); });
        futex_wake_one(&log_.head);
      }
      return;
    }
    // As StopWatch::run().
    std::uint32_t seen = 0;
    std::uint64_t last = 0;
    while (seen != stops_) {
      const std::uint32_t head = log_.head.load(base::relaxed);
      seen = log_.read(seen, read_, [&](std::uint64_t call) {
        require(call == last + 1, "each call once, in order");
        last = call;
      });
      if (seen != stops_) static_cast<void>(futex_wait(&log_.head, head, false));
    }
  }

 private:
  std::uint32_t stops_;
  link::BasicStopLog<2> log_;
  base::Atomic<std::uint64_t> read_;
};

std::vector<Case> stop_log_cases() {
  return {
      make_case<StopLogScenario>("stop log: two", 2U),
      make_case<StopLogScenario>("stop log: three, in two entries", 3U),
  };
}

TEST(StopLogModel, tells_each_stop_once_in_order_and_nobody_sleeps_for_good) {
  expect_all_hold(stop_log_cases());
}

}  // namespace
}  // namespace weft::model
