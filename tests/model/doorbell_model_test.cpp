// doorbell/doorbell.hpp: nobody sleeps while something was published that nobody has seen; one ring an epoch.

#include <gtest/gtest.h>

#include <array>

#include "base/atomic.hpp"
#include "doorbell/doorbell.hpp"
#include "engine.hpp"
#include "ring_scenario.hpp"
#include "suite.hpp"

namespace weft::model {
namespace {

using base::acquire;
using base::Atomic;
using base::relaxed;
using base::release;
using doorbell::Mode;

// A mailbox for each ringer: how many it has published. Relaxed, the weakest that a publication can be: whatever the
// real one adds (release, more words) only orders more.
struct Mailboxes {
  std::array<Atomic<std::uint32_t>, 3> counts;
  std::array<std::uint32_t, 3> seen{};

  /// What has come since the last look.
  std::uint32_t look(unsigned ringers) {
    std::uint32_t found = 0;
    for (unsigned i = 0; i < ringers; ++i) {
      const std::uint32_t count = counts[i].load(relaxed);
      found += count - seen[i];
      seen[i] = count;
    }
    return found;
  }
};

struct DoorbellPlan {
  unsigned ringers;
  std::array<std::uint32_t, 3> messages;  ///< of each ringer

  bool looks_first = false;  ///< before it arms; what it finds then changes nothing but the order
  bool idles = false;        ///< it goes through an epoch in which it does not sleep at all
};

// One sleeper, urgent, and one to three ringers with a Ringer each.
class DoorbellScenario final : public Scenario {
 public:
  explicit DoorbellScenario(const DoorbellPlan& plan) : plan_{plan} {
    name_word(&word_, "doorbell");
    for (unsigned i = 0; i < 3; ++i) name_word(&mail_.counts[i], "mailbox", static_cast<int>(i));
  }
  [[nodiscard]] unsigned thread_count() const override { return 1 + plan_.ringers; }
  [[nodiscard]] bool checkpoints() const override { return true; }

  void run(unsigned thread) override {
    if (thread == 0) {
      sleep();
    } else {
      publish(thread - 1);
    }
  }

 private:
  void sleep() {
    doorbell::Sleeper sleeper{&word_};
    if (plan_.idles) {
      sleeper.arm(Mode::urgent);
      sleeper.disarm();
      ++epochs_;
    }
    std::uint32_t left = plan_.messages[0] + plan_.messages[1] + plan_.messages[2];
    while (left > 0) {
      checkpoint(std::uint64_t{epochs_} << 32 | mail_.seen[0] << 16 | mail_.seen[1] << 8 | mail_.seen[2]);
      std::uint32_t found = plan_.looks_first ? mail_.look(plan_.ringers) : 0;
      if (found == 0) {
        sleeper.arm(Mode::urgent);
        ++epochs_;
        found = mail_.look(plan_.ringers);
        if (found == 0) bell_.wait();
        sleeper.disarm();
      }
      left -= found;
    }
  }
  void publish(unsigned ringer) {
    doorbell::Ringer out{&word_};
    std::uint64_t last = 0;
    for (std::uint32_t i = 1; i <= plan_.messages[ringer]; ++i) {
      checkpoint(last << 32 | i);
      mail_.counts[ringer].store(i, relaxed);
      const doorbell::Word word = out.published();
      if (word.mode() != Mode::urgent || !out.take(word)) continue;
      require(word.epoch() > last, "one ring an epoch");
      last = word.epoch();
      bell_.ring();
    }
    checkpoint(0);
  }

  DoorbellPlan plan_;
  Atomic<std::uint64_t> word_;
  Mailboxes mail_;
  Bell bell_;
  std::uint32_t epochs_ = 0;  // by the sleeper
};

// The same over the shipped ring: a worker that parks, a parent that sends it frames of different sizes.
class ParkingScenario final : public Scenario {
 public:
  explicit ParkingScenario(std::uint32_t frames) : frames_{frames} {
    ring_.play({2, 2, 2, 2, 2, 2, 1}, 7, true);  // padding comes
    name_word(&ring_.reader.parked, "parked");
  }
  [[nodiscard]] unsigned thread_count() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      doorbell::Ringer ringer{&ring_.reader.parked};
      for (std::uint32_t i = 0; i < frames_; ++i) {
        ring_.send(lines_of(i), i);
        const doorbell::Word word = ringer.published();
        if (word.mode() == Mode::urgent && ringer.take(word)) bell_.ring();
      }
      return;
    }
    doorbell::Sleeper sleeper{&ring_.reader.parked};
    for (std::uint32_t i = 0; i < frames_; ++i) {
      while (ring_.in.peek() != ring::Peek::frame) {
        sleeper.arm(Mode::urgent);
        if (ring_.in.peek() != ring::Peek::frame) bell_.wait();
        sleeper.disarm();
      }
      require(ring_.in.bytes() == lines_of(i) * kLine, "a frame's length is what was written");
      SmallRing::expect(ring_.in.data(), lines_of(i), i);
      ring_.in.release();
    }
  }

 private:
  static std::uint32_t lines_of(std::uint32_t frame) { return 2 - frame % 2; }
  std::uint32_t frames_;
  SmallRing ring_;
  Bell bell_;
};

// Lazy: the sleeper is away (its thread runs something else) and comes back in the end. A ringer that finds it lazy, or
// asleep and patient, puts the ring off until it has nothing better to do. Everything is seen, and what was put off harms
// nobody.
class LazyScenario final : public Scenario {
 public:
  LazyScenario(std::uint32_t messages, Mode asleep) : messages_{messages}, asleep_{asleep} {}
  [[nodiscard]] unsigned thread_count() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      doorbell::Sleeper sleeper{&word_};
      std::uint32_t left = messages_;
      left -= mail_.look(1);
      sleeper.disarm(Mode::lazy);  // away; nobody relies on being woken
      while (left > 0) {
        sleeper.arm(asleep_);
        const std::uint32_t found = mail_.look(1);
        if (found == 0) bell_.wait();
        sleeper.disarm(Mode::lazy);
        left -= found;
      }
      return;
    }
    doorbell::Ringer ringer{&word_};
    doorbell::Word put_off;
    for (std::uint32_t i = 1; i <= messages_; ++i) {
      mail_.counts[0].store(i, relaxed);
      const doorbell::Word word = ringer.published();
      if (word.can_wait()) put_off = word;
      if (word.mode() == Mode::urgent && ringer.take(word)) bell_.ring();
    }
    if (put_off.can_wait()) {
      const doorbell::Word word = ringer.look();
      if (word.mode() != Mode::awake && ringer.take(word)) bell_.ring();
    }
  }

 private:
  std::uint32_t messages_;
  Mode asleep_;
  Atomic<std::uint64_t> word_;
  Mailboxes mail_;
  Bell bell_;
};

// Two bells: the thread that looks leaves for good, and hands over to another that sleeps at the second bell. It must
// arm (store, fence) and look once more; `careless` leaves that out.
class HandOverScenario final : public Scenario {
 public:
  HandOverScenario(std::uint32_t messages, bool from_sleep, bool careless)
      : messages_{messages}, from_sleep_{from_sleep}, careless_{careless} {
    name_word(&word_, "doorbell");
    name_word(&mail_.counts[0], "mailbox");
  }
  [[nodiscard]] unsigned thread_count() const override { return 3; }
  void run(unsigned thread) override {
    if (thread == 0) lead();
    if (thread == 1) follow();
    if (thread == 2) publish();
  }

 private:
  void lead() {
    doorbell::Sleeper sleeper{&word_};
    if (from_sleep_) {
      sleeper.arm(Mode::urgent, 0);
      if (mail_.counts[0].load(relaxed) == 0) bells_[0].wait();
    }
    if (careless_) {
      sleeper.disarm(Mode::lazy, 1);
    } else {
      sleeper.arm(Mode::lazy, 1);
    }
    // What it still sees it has dealt with; the follower need not be told.
    seen_by_leader_.store(mail_.counts[0].load(relaxed), relaxed);
  }
  // Sleeps until all messages were seen, by the leader or by itself. The harness rings for the leader's part.
  void follow() {
    while (mail_.counts[0].load(relaxed) < messages_) bells_[1].wait();
  }
  void publish() {
    doorbell::Ringer ringer{&word_};
    for (std::uint32_t i = 1; i <= messages_; ++i) {
      mail_.counts[0].store(i, relaxed);
      const doorbell::Word word = ringer.published();
      if (word.mode() == Mode::urgent && ringer.take(word)) bells_[word.bell()].ring();
    }
    const doorbell::Word word = ringer.look();
    if (word.mode() != Mode::awake && ringer.take(word)) bells_[word.bell()].ring();
    await_end_of(0);
    // Nobody else will tell the follower of what the leader has seen in time.
    if (seen_by_leader_.load(relaxed) == messages_) bells_[1].ring();
  }

  std::uint32_t messages_;
  bool from_sleep_;
  bool careless_;
  Atomic<std::uint64_t> word_;
  Atomic<std::uint32_t> seen_by_leader_;
  Mailboxes mail_;
  std::array<Bell, 2> bells_;
};

std::vector<Case> small_cases() {
  return {
      make_case<DoorbellScenario>("doorbell: one ringer, one message", DoorbellPlan{1, {1}, true}),
      make_case<DoorbellScenario>("doorbell: one ringer, three messages", DoorbellPlan{1, {3}, true}),
      make_case<DoorbellScenario>("doorbell: an epoch without sleep, two messages",
                                  DoorbellPlan{1, {2}, true, true}),
      make_case<DoorbellScenario>("doorbell: two ringers, a message each", DoorbellPlan{2, {1, 1}, true}),
      make_case<DoorbellScenario>("doorbell: two ringers, three messages", DoorbellPlan{2, {2, 1}}),
      make_case<ParkingScenario>("doorbell: a reader that parks at a ring", 3U),
      make_case<LazyScenario>("doorbell: lazy, comes back", 2U, Mode::urgent),
      make_case<LazyScenario>("doorbell: lazy, comes back and is patient", 2U, Mode::patient),
      make_case<HandOverScenario>("doorbell: handed over to the second bell", 2U, false, false),
      make_case<HandOverScenario>("doorbell: handed over after a sleep", 2U, true, false),
  };
}

TEST(DoorbellModel, no_wake_up_is_lost_and_no_epoch_rung_twice) { expect_all_hold(small_cases()); }

TEST(DoorbellModel, no_wake_up_is_lost_with_three_ringers) {
  expect_all_hold(
      {make_case<DoorbellScenario>("doorbell: three ringers, a message each", DoorbellPlan{3, {1, 1, 1}})});
}

// A minute of processor time; run it when the doorbell changes: --gtest_also_run_disabled_tests.
TEST(DoorbellModel, DISABLED_no_wake_up_is_lost_with_two_messages_of_each_of_two_ringers) {
  expect_all_hold(
      {make_case<DoorbellScenario>("doorbell: two ringers, two messages each", DoorbellPlan{2, {2, 2}})});
}

TEST(DoorbellModel, each_of_its_fences_and_stores_is_needed) {
  expect_each_mutation_is_found(small_cases(), {"src/doorbell/doorbell.hpp"}, 3);
}

TEST(DoorbellModel, leaving_to_another_bell_without_a_fence_would_lose_a_wake_up) {
  const Report report = make_case<HandOverScenario>("careless", 2U, true, true).explore(Options{});
  EXPECT_FALSE(report.holds());
}

}  // namespace
}  // namespace weft::model
