// The whole of it, as a parent and a worker run it: frames one way, answers the other, both sides park, the parent takes
// back what it can, and the worker passes one fence a task, which serves the parent's doorbell and its own next claim.

#include <gtest/gtest.h>

#include <array>

#include "doorbell/doorbell.hpp"
#include "engine.hpp"
#include "ring/take_back.hpp"
#include "ring_scenario.hpp"
#include "suite.hpp"

namespace weft::model {
namespace {

using doorbell::Mode;

constexpr std::uint32_t kRan = 1;
constexpr std::uint32_t kReturned = 2;

struct LoopPlan {
  std::uint32_t tasks;
  bool takes_back;      ///< the parent asks for the last one
  bool padded = false;  ///< the second frame has padding before it
  bool batched =
      false;  ///< the parent looks at the worker's bell only where the worker may have nothing in hand
};

class LoopScenario final : public Scenario {
 public:
  explicit LoopScenario(const LoopPlan& plan) : plan_{plan} {
    if (plan.padded) down_.play({2, 2, 2, 2, 2, 2, 2, 1}, 8, true);
    name_word(&down_.reader.parked, "worker parked");
    name_word(&up_.reader.parked, "parent parked");
  }
  [[nodiscard]] unsigned thread_count() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      parent();
    } else {
      worker();
    }
  }

 private:
  // Looks for a frame, and sleeps when there is none.
  static void await(SmallRing& ring, doorbell::Sleeper& sleeper, Bell& bell) {
    while (ring.in.peek() != ring::Peek::frame) {
      sleeper.arm(Mode::urgent);
      if (ring.in.peek() != ring::Peek::frame) bell.wait();
      sleeper.disarm();
    }
  }
  static void ring(doorbell::Ringer& ringer, doorbell::Word word, Bell& bell) {
    if (word.mode() == Mode::urgent && ringer.take(word)) bell.ring();
  }
  static void write(SmallRing& ring, std::uint32_t lines, std::uint32_t value) {
    std::byte* const frame = ring.out.try_claim(lines * kLine);
    require(frame != nullptr, "there is room");
    plain_store(frame + sizeof(ring::FrameHead), value);
    ring.last_position = ring.out.commit(lines * kLine);
  }

  void parent() {
    doorbell::Ringer ringer{&down_.reader.parked};
    doorbell::Sleeper sleeper{&up_.reader.parked};
    bool look_due = false;
    for (std::uint32_t i = 0; i < plan_.tasks; ++i) {
      write(down_, plan_.padded ? 2 : 1, i);
      if (plan_.batched && i > 0) {
        look_due =
            true;  // the worker cannot sleep for good before its answer is read, and then it is looked after
      } else {
        ring(ringer, ringer.published(), worker_bell_);
      }
    }
    const bool taken = plan_.takes_back && ring::try_take_back(down_.out, down_.last_position,
                                                               down_.reader) == ring::TakeBack::taken;
    for (std::uint32_t i = 0; i < plan_.tasks; ++i) {
      await(up_, sleeper, parent_bell_);
      const std::uint32_t answer = plain_load(up_.in.data() + sizeof(ring::FrameHead));
      const bool last = i + 1 == plan_.tasks;
      require(answer == kRan || (last && plan_.takes_back), "a frame was given back that nobody wanted");
      if (last && taken) require(answer == kReturned, "a frame was taken back and ran");
      up_.in.release();
      if (look_due && !last) ring(ringer, ringer.published(), worker_bell_);
      look_due = false;
    }
  }

  void worker() {
    doorbell::Ringer ringer{&up_.reader.parked};
    doorbell::Sleeper sleeper{&down_.reader.parked};
    for (std::uint32_t i = 0; i < plan_.tasks; ++i) {
      await(down_, sleeper, worker_bell_);
      const bool runs = ring::begin(down_.reader, down_.in);
      require(plain_load(down_.in.data() + sizeof(ring::FrameHead)) == i, "a task is what was sent");
      write(up_, 1, runs ? kRan : kReturned);
      ring::claim(down_.reader, down_.in.next_position());
      ring(ringer, ringer.published(), parent_bell_);
      down_.in.release();
    }
  }

  LoopPlan plan_;
  SmallRing down_;
  SmallRing up_;
  Bell worker_bell_;
  Bell parent_bell_;
};

std::vector<Case> loop_cases() {
  return {
      make_case<LoopScenario>("loop: one task", LoopPlan{1, false}),
      make_case<LoopScenario>("loop: one task, taken back", LoopPlan{1, true}),
      make_case<LoopScenario>("loop: two tasks", LoopPlan{2, false}),
      make_case<LoopScenario>("loop: two tasks, the second taken back", LoopPlan{2, true}),
      make_case<LoopScenario>("loop: two tasks, one look at the doorbell", LoopPlan{2, false, false, true}),
  };
}

TEST(LoopModel, one_fence_a_task_is_enough_for_doorbell_and_claim) { expect_all_hold(loop_cases()); }

// A quarter of a minute of processor time; run it when a protocol changes: --gtest_also_run_disabled_tests.
TEST(LoopModel, DISABLED_one_fence_a_task_is_enough_over_padding) {
  expect_all_hold({make_case<LoopScenario>("loop: two tasks over padding, the second taken back",
                                           LoopPlan{2, true, true})});
}

TEST(LoopModel, each_ordering_of_the_protocols_is_needed_here_too) {
  const std::vector<Case> cases{
      make_case<LoopScenario>("loop: one task", LoopPlan{1, false}),
      make_case<LoopScenario>("loop: one task, taken back", LoopPlan{1, true}),
  };
  expect_each_mutation_is_found(cases, {"src/doorbell/doorbell.hpp"}, 3);
}

}  // namespace
}  // namespace weft::model
