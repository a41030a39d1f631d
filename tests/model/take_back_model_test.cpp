// ring/take_back.hpp: a frame that was taken back has not run and will not; any other runs, or is answered `returned`.
// And what `begun` tells about a reader that died.

#include <gtest/gtest.h>

#include <array>

#include "base/atomic.hpp"
#include "engine.hpp"
#include "ring/take_back.hpp"
#include "ring_scenario.hpp"
#include "suite.hpp"

namespace weft::model {
namespace {

using base::relaxed;

constexpr std::size_t kFramesMax = 4;

struct TakeBackPlan {
  Frames past;    ///< all read before the threads start
  Frames early;   ///< committed before the threads start, and not read
  Frames frames;  ///< sent by the parent's thread
  std::array<std::int32_t, kFramesMax>
      take;             ///< frames (early ones first) that the parent takes back, then -1
  bool in_one = false;  ///< with one fence for all of them
  bool mortal = false;  ///< the worker may die
};

enum class Fate : std::uint8_t { none, ran, returned };

// Parent (thread 0) and worker (thread 1), as the worker loop does it: the first claim by begin(), each later one
// before the fence that follows an answer.
class TakeBackScenario final : public Scenario {
 public:
  explicit TakeBackScenario(const TakeBackPlan& plan) : plan_{plan} {
    const std::size_t past = count_of(plan.past);
    ring_.play(plan.past, past, true);
    for (const std::uint32_t lines : plan.early) {
      if (lines != 0) positions_[count_++] = commit_early(lines);
    }
    total_ = count_ + count_of(plan.frames);
  }
  [[nodiscard]] unsigned thread_count() const override { return 2; }
  [[nodiscard]] bool mortal(unsigned thread) const override { return thread == 1 && plan_.mortal; }
  void run(unsigned thread) override {
    if (thread == 0) {
      parent();
    } else {
      worker();
    }
  }

  void end() override {
    for (std::size_t i = 0; i < total_; ++i) {
      if (taken_[i]) require(fates_[i] != Fate::ran, "a frame was taken back and ran");
      if (!taken_[i] && !plan_.mortal)
        require(fates_[i] != Fate::none, "a frame neither ran nor was given back");
      if (fates_[i] == Fate::returned) require(withdrawn_[i], "a frame was given back that nobody wanted");
      if (plan_.mortal)
        require(taken_[i] || fates_[i] != Fate::none || lost_[i], "every frame is accounted for");
    }
  }

 private:
  std::uint64_t commit_early(std::uint32_t lines) {
    require(ring_.out.try_claim(lines * kLine) != nullptr, "the past of the ring fits");
    return ring_.out.commit(lines * kLine);
  }

  void parent() {
    for (const std::uint32_t lines : plan_.frames) {
      if (lines == 0) break;
      require(ring_.out.try_claim(lines * kLine) != nullptr, "there is room");
      positions_[count_++] = ring_.out.commit(lines * kLine);
    }
    if (plan_.in_one) {
      for (const std::int32_t i : plan_.take) {
        if (i < 0) break;
        ring_.out.withdraw(positions_[static_cast<std::size_t>(i)]);
        withdrawn_[static_cast<std::size_t>(i)] = true;
      }
      const std::uint64_t from = ring::first_taken(ring_.reader);
      for (std::size_t i = 0; i < total_; ++i) taken_[i] = withdrawn_[i] && positions_[i] >= from;
    } else {
      for (const std::int32_t i : plan_.take) {
        if (i < 0) break;
        const auto index = static_cast<std::size_t>(i);
        withdrawn_[index] = true;
        taken_[index] =
            ring::try_take_back(ring_.out, positions_[index], ring_.reader) == ring::TakeBack::taken;
      }
    }
    if (plan_.mortal) bury();
  }

  // The worker is dead or done: what it had begun may have happened, all else is the parent's again.
  void bury() {
    await_end_of(1);
    const std::uint64_t begun = ring_.reader.begun.load(relaxed);
    for (std::size_t i = 0; i < total_; ++i) {
      const bool happened = plain_load(&effects_[i]) != 0;
      if (positions_[i] < begun) {
        lost_[i] = true;
      } else {
        require(!happened, "a task had begun, and nothing tells so");
        taken_[i] = true;
      }
    }
  }

  void worker() {
    for (std::size_t i = 0; i < total_; ++i) {
      ring_.await_frame();
      if (ring::begin(ring_.reader, ring_.in)) {
        plain_store(&effects_[i], 1);
        fates_[i] = Fate::ran;
      } else {
        fates_[i] = Fate::returned;
      }
      // Here the answer is published; the fence serves its doorbell and this claim.
      ring::claim(ring_.reader, ring_.in.next_position());
      base::full_fence();
      ring_.in.release();
    }
  }

  TakeBackPlan plan_;
  SmallRing ring_;
  std::size_t total_ = 0;
  std::array<std::uint32_t, kFramesMax> effects_{};
  // The parent's notes.
  std::size_t count_ = 0;
  std::array<std::uint64_t, kFramesMax> positions_{};
  std::array<bool, kFramesMax> withdrawn_{};
  std::array<bool, kFramesMax> taken_{};
  std::array<bool, kFramesMax> lost_{};
  // The worker's.
  std::array<Fate, kFramesMax> fates_{};
};

const Frames kToPadding{2, 2, 2, 2, 2, 2, 1, 2};  // one line is left

std::vector<Case> take_back_cases() {
  using Plan = TakeBackPlan;
  return {
      make_case<TakeBackScenario>("take-back: the only frame, waiting", Plan{{}, {1}, {}, {0, -1}}),
      make_case<TakeBackScenario>("take-back: the only frame, sent just now", Plan{{}, {}, {1}, {0, -1}}),
      make_case<TakeBackScenario>("take-back: the last of three", Plan{{}, {1, 2}, {1}, {2, -1}}),
      make_case<TakeBackScenario>("take-back: the later two of three, one by one",
                                  Plan{{}, {1, 1, 1}, {}, {2, 1, -1}}),
      make_case<TakeBackScenario>("take-back: all of three, with one fence",
                                  Plan{{}, {1, 2}, {1}, {0, 1, 2, -1}, true}),
      make_case<TakeBackScenario>("take-back: a frame behind padding", Plan{kToPadding, {1}, {2}, {1, -1}}),
      make_case<TakeBackScenario>("take-back: behind padding, and the one after",
                                  Plan{kToPadding, {}, {2, 1}, {1, 0, -1}}),
      make_case<TakeBackScenario>("take-back: over old frames",
                                  Plan{{2, 2, 2, 2, 2, 2, 2, 2}, {1}, {1}, {1, 0, -1}}),
      make_case<TakeBackScenario>("take-back: the worker dies anywhere",
                                  Plan{{}, {1, 1}, {1}, {2, 1, -1}, false, true}),
      make_case<TakeBackScenario>("take-back: it dies, nothing was asked for",
                                  Plan{{}, {1, 1, 1}, {}, {-1}, false, true}),
  };
}

TEST(TakeBackModel, a_frame_is_taken_back_or_answered_and_never_both_nor_neither) {
  expect_all_hold(take_back_cases());
}

TEST(TakeBackModel, each_of_its_fences_and_stores_is_needed) {
  expect_each_mutation_is_found(take_back_cases(), {"src/ring/take_back.hpp"}, 4);
}

// Claiming without any fence before the frame's withdrawn word is read.
class UnfencedScenario final : public Scenario {
 public:
  [[nodiscard]] unsigned thread_count() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      require(ring_.out.try_claim(kLine) != nullptr, "there is room");
      taken_ = ring::try_take_back(ring_.out, ring_.out.commit(kLine), ring_.reader) == ring::TakeBack::taken;
      return;
    }
    ring::claim(ring_.reader, ring_.in.next_position());
    ring_.await_frame();
    ran_ = ring::begin(ring_.reader, ring_.in);
  }
  void end() override { require(!taken_ || !ran_, "a frame was taken back and ran"); }

 private:
  SmallRing ring_;
  bool taken_ = false;
  bool ran_ = false;
};

TEST(TakeBackModel, an_eager_claim_without_the_fence_after_it_would_not_do) {
  const Report report = make_case<UnfencedScenario>("unfenced").explore(Options{});
  EXPECT_EQ(report.failure, "a frame was taken back and ran");
}

}  // namespace
}  // namespace weft::model
