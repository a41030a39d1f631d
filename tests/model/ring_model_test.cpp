// ring/producer.hpp and ring/consumer.hpp: every frame arrives once, whole and in order; nothing else is ever seen.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "engine.hpp"
#include "ring_scenario.hpp"
#include "suite.hpp"

namespace weft::model {
namespace {

constexpr std::uint32_t kFirstValue = 64;  // looks like a length

struct RingPlan {
  Frames past;            ///< sent before the threads start
  std::size_t read;       ///< so many of them were read by then
  bool published;         ///< and the writer could know
  Frames frames;          ///< sent by the writer's thread
  bool prepares = false;  ///< the writer makes lines ready ahead of its head
};

class RingScenario final : public Scenario {
 public:
  explicit RingScenario(const RingPlan& plan) : plan_{plan} {
    ring_.play(plan.past, plan.read, plan.published);
  }
  [[nodiscard]] unsigned thread_count() const override { return 2; }

  void run(unsigned thread) override {
    if (thread == 0) {
      write();
    } else {
      read();
    }
  }

 private:
  void write() {
    for (std::uint32_t i = 0; plan_.frames[i] != 0; ++i) ring_.send(plan_.frames[i], kFirstValue + i);
  }
  void read() {
    const std::size_t old = count_of(plan_.past);
    for (std::size_t i = plan_.read; i < old; ++i) {
      ring_.await_frame();
      require(ring_.in.bytes() == plan_.past[i] * kLine, "an old frame's length is what was written");
      SmallRing::expect(ring_.in.data(), plan_.past[i], kLine);
      ring_.in.release();
    }
    for (std::uint32_t i = 0; plan_.frames[i] != 0; ++i) {
      ring_.await_frame();
      require(ring_.in.bytes() == plan_.frames[i] * kLine, "a frame's length is what was written");
      require(!ring_.in.withdrawn(), "nobody has withdrawn the frame");
      SmallRing::expect(ring_.in.data(), plan_.frames[i], kFirstValue + i);
      ring_.in.release();
    }
    require(ring_.in.peek() == ring::Peek::none, "there is no frame that nobody has sent");
  }

  RingPlan plan_;
  SmallRing ring_;
};

// The writer dies before any of its operations: the reader finds the frames committed so far, and not one more.
class DyingWriterScenario final : public Scenario {
 public:
  explicit DyingWriterScenario(const RingPlan& plan) : plan_{plan} {
    ring_.prepares = plan.prepares;
    ring_.play(plan.past, plan.read, plan.published);
  }
  [[nodiscard]] unsigned thread_count() const override { return 2; }
  [[nodiscard]] bool mortal(unsigned thread) const override { return thread == 0; }

  void run(unsigned thread) override {
    if (thread == 0) {
      for (std::uint32_t i = 0; plan_.frames[i] != 0; ++i) {
        ring_.send(plan_.frames[i], kFirstValue + i);
        ++sent_;
      }
      return;
    }
    await_end_of(0);
    while (ring_.in.peek() == ring::Peek::frame) {
      require(plan_.frames[found_] != 0, "there is no frame that nobody has sent");
      require(ring_.in.bytes() == plan_.frames[found_] * kLine, "a frame's length is what was written");
      SmallRing::expect(ring_.in.data(), plan_.frames[found_], kFirstValue + found_);
      ring_.in.release();
      ++found_;
    }
    require(ring_.in.peek() == ring::Peek::none, "a dead writer leaves nothing corrupt");
  }
  void end() override {
    require(found_ == sent_ || found_ == sent_ + 1, "the frames that were committed are there");
  }

 private:
  RingPlan plan_;
  SmallRing ring_;
  std::uint32_t sent_ = 0;   // by the writer's thread, known to have been committed
  std::uint32_t found_ = 0;  // by the reader's
};

struct NamedPlan {
  const char* name;
  RingPlan plan;
};
const NamedPlan kPlans[] = {
    {"ring: three frames through a fresh ring", {{}, 0, false, {1, 2, 1}}},
    {"ring: over lines that held other frames", {{2, 2, 2, 2, 2, 2, 2, 2}, 8, true, {1, 1, 2}}},
    {"ring: padding at the end", {{2, 2, 2, 2, 2, 2, 1}, 7, true, {2, 2, 1}}},
    {"ring: padding, and the room is not known", {{2, 2, 2, 2, 2, 2, 1, 2}, 8, false, {2, 1, 2}}},
    {"ring: full, lines are used again while they are read", {{2, 2, 2, 2, 2, 2, 2}, 0, false, {1, 1, 2}}},
    {"ring: full, with padding to come", {{1, 2, 2, 2, 2, 2, 2, 2}, 1, true, {2, 1}}},
    {"ring: nearly full, over odd lines", {{1, 2, 2, 2, 2, 2, 1, 2}, 2, false, {1, 2, 2}}},
    {"ring: full, four frames more", {{2, 2, 2, 2, 2, 2, 2}, 0, false, {2, 1, 2, 2}}},
};

// Each plan with and without lines made ready ahead of the head.
std::vector<Case> ring_cases() {
  std::vector<Case> cases;
  for (const bool prepares : {false, true}) {
    const std::string suffix = prepares ? ", prepared" : "";
    for (NamedPlan each : kPlans) {
      each.plan.prepares = prepares;
      cases.push_back(make_case<RingScenario>(each.name + suffix, each.plan));
    }
    RingPlan dying{{2, 2, 2, 2, 2, 2, 1}, 7, true, {2, 2, 1}};
    dying.prepares = prepares;
    cases.push_back(make_case<DyingWriterScenario>("ring: the writer dies anywhere" + suffix, dying));
  }
  return cases;
}

TEST(RingModel, every_frame_arrives_once_whole_and_in_order) { expect_all_hold(ring_cases()); }

TEST(RingModel, the_checkers_reductions_hide_nothing_here) {
  Options options;
  options.reduced = false;
  const Case two_frames = make_case<RingScenario>("ring: two frames, without reductions",
                                                  RingPlan{{2, 2, 2, 2, 2, 2, 2, 1}, 8, true, {1, 1}});
  const Report report = two_frames.explore(options);
  std::printf("%s\n", report.summary().c_str());
  EXPECT_TRUE(report.holds()) << report.failure << "\n" << report.trace;
}

TEST(RingModel, each_of_its_orderings_and_stores_is_needed) {
  expect_each_mutation_is_found(ring_cases(), {"src/ring/producer.hpp", "src/ring/consumer.hpp"}, 8);
}

}  // namespace
}  // namespace weft::model
