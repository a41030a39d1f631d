// The checker itself: small programs whose outcomes under C++20 (RC11) are known from the literature. What may happen
// must be found, what may not must not be.

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/atomic.hpp"
#include "engine.hpp"

namespace weft::model {
namespace {

using base::acquire;
using base::Atomic;
using base::relaxed;
using base::release;

using Words = std::array<Atomic<std::uint32_t>, 3>;
using Seen = std::array<std::uint32_t, 4>;
struct Litmus {
  unsigned threads;
  void (*run)(unsigned thread, Words& words, Seen& seen);
};

std::set<std::string>* outcomes = nullptr;

class LitmusScenario final : public Scenario {
 public:
  explicit LitmusScenario(Litmus litmus) : litmus_{litmus} {
    for (int i = 0; i < 3; ++i) name_word(&words_[static_cast<unsigned>(i)], "word", i);
  }
  [[nodiscard]] unsigned thread_count() const override { return litmus_.threads; }
  void run(unsigned thread) override { litmus_.run(thread, words_, seen_); }
  void end() override {
    std::string text;
    for (const std::uint32_t value : seen_) text += std::to_string(value);
    outcomes->insert(text);
  }

 private:
  Litmus litmus_;
  Words words_;
  Seen seen_{};
};

// Explored both with the checker's reductions and without: they must not hide anything.
std::set<std::string> outcomes_of(unsigned threads, void (*run)(unsigned, Words&, Seen&)) {
  std::set<std::string> found;
  std::set<std::string> found_plainly;
  for (const bool reduced : {true, false}) {
    outcomes = reduced ? &found : &found_plainly;
    Options options;
    options.reduced = reduced;
    const Report report = explore<LitmusScenario>("litmus", options, Litmus{threads, run});
    EXPECT_TRUE(report.holds()) << report.failure << "\n" << report.trace;
  }
  EXPECT_EQ(found, found_plainly);
  return found;
}

using Set = std::set<std::string>;

TEST(Litmus, store_buffering_happens_without_fences_and_not_between_full_fences) {
  EXPECT_EQ(outcomes_of(2,
                        [](unsigned thread, Words& words, Seen& seen) {
                          words[thread].store(1, release);
                          seen[thread] = words[1 - thread].load(acquire);
                        }),
            (Set{"0000", "0100", "1000", "1100"}));
  EXPECT_EQ(outcomes_of(2,
                        [](unsigned thread, Words& words, Seen& seen) {
                          words[thread].store(1, relaxed);
                          base::full_fence();
                          seen[thread] = words[1 - thread].load(relaxed);
                        }),
            (Set{"0100", "1000", "1100"}));
}

TEST(Litmus, a_message_passes_with_release_and_acquire_and_not_with_either_alone) {
  const Set strong{"0000", "0100", "1100"};
  const Set weak{"0000", "0100", "1000", "1100"};
  EXPECT_EQ(outcomes_of(2,
                        [](unsigned thread, Words& words, Seen& seen) {
                          if (thread == 0) {
                            words[0].store(1, relaxed);
                            words[1].store(1, release);
                          } else {
                            seen[0] = words[1].load(acquire);
                            seen[1] = words[0].load(relaxed);
                          }
                        }),
            strong);
  EXPECT_EQ(outcomes_of(2,
                        [](unsigned thread, Words& words, Seen& seen) {
                          if (thread == 0) {
                            words[0].store(1, relaxed);
                            words[1].store(1, relaxed);
                          } else {
                            seen[0] = words[1].load(acquire);
                            seen[1] = words[0].load(relaxed);
                          }
                        }),
            weak);
  EXPECT_EQ(outcomes_of(2,
                        [](unsigned thread, Words& words, Seen& seen) {
                          if (thread == 0) {
                            words[0].store(1, relaxed);
                            words[1].store(1, release);
                          } else {
                            seen[0] = words[1].load(relaxed);
                            seen[1] = words[0].load(relaxed);
                          }
                        }),
            weak);
  EXPECT_EQ(outcomes_of(2,
                        [](unsigned thread, Words& words, Seen& seen) {
                          if (thread == 0) {
                            words[0].store(1, relaxed);
                            base::full_fence();
                            words[1].store(1, relaxed);
                          } else {
                            seen[0] = words[1].load(relaxed);
                            base::full_fence();
                            seen[1] = words[0].load(relaxed);
                          }
                        }),
            strong);
}

TEST(Litmus, one_word_is_never_seen_to_go_back) {
  const Set found = outcomes_of(2, [](unsigned thread, Words& words, Seen& seen) {
    if (thread == 0) {
      words[0].store(1, relaxed);
      words[0].store(2, relaxed);
    } else {
      seen[0] = words[0].load(relaxed);
      seen[1] = words[0].load(relaxed);
    }
  });
  EXPECT_EQ(found, (Set{"0000", "0100", "0200", "1100", "1200", "2200"}));
}

TEST(Litmus, independent_writes_may_be_seen_in_two_orders_but_not_between_full_fences) {
  const auto reads = [](bool fenced) {
    static bool fence;
    fence = fenced;
    return outcomes_of(4, [](unsigned thread, Words& words, Seen& seen) {
      if (thread < 2) {
        words[thread].store(1, release);
      } else {
        const unsigned first = thread - 2;
        seen[2 * first] = words[first].load(acquire);
        if (fence) base::full_fence();
        seen[2 * first + 1] = words[1 - first].load(acquire);
      }
    });
  };
  EXPECT_TRUE(reads(false).contains("1010"));
  EXPECT_FALSE(reads(true).contains("1010"));
  EXPECT_TRUE(reads(true).contains("1011"));
}

TEST(Litmus, a_message_passes_through_a_third_thread) {
  const Set found = outcomes_of(3, [](unsigned thread, Words& words, Seen& seen) {
    if (thread == 0) {
      words[0].store(1, relaxed);
      words[1].store(1, release);
    } else if (thread == 1) {
      seen[0] = words[1].load(acquire);
      words[2].store(1, release);
    } else {
      seen[1] = words[2].load(acquire);
      seen[2] = words[0].load(relaxed);
    }
  });
  EXPECT_FALSE(found.contains("1100"));
  EXPECT_TRUE(found.contains("0100"));
  EXPECT_TRUE(found.contains("1110"));
}

TEST(Litmus, stores_of_two_threads_to_two_words_may_be_ordered_either_way_each) {
  // "2+2W": thread 0 stores 1 to x and 2 to y, thread 1 stores 1 to y and 2 to x. Both ending as 1 is allowed.
  const auto last = [](bool fenced) {
    static bool fence;
    fence = fenced;
    return outcomes_of(4, [](unsigned thread, Words& words, Seen& seen) {
      if (thread < 2) {
        words[thread].store(1, relaxed);
        if (fence) base::full_fence();
        words[1 - thread].store(2, relaxed);
      } else {
        seen[2 * (thread - 2)] = words[thread - 2].load(relaxed);
        seen[2 * (thread - 2) + 1] = words[thread - 2].load(relaxed);
      }
    });
  };
  EXPECT_TRUE(last(false).contains("2121"));
  EXPECT_FALSE(last(true).contains("2121"));
}

TEST(Litmus, exchanges_are_each_seen_by_one) {
  EXPECT_EQ(outcomes_of(3, [](unsigned thread, Words& words,
                              Seen& seen) { seen[thread] = words[0].fetch_add(1, relaxed); }),
            (Set{"0120", "0210", "1020", "1200", "2010", "2100"}));
}

TEST(Litmus, a_release_goes_on_through_another_threads_exchange) {
  const Set found = outcomes_of(3, [](unsigned thread, Words& words, Seen& seen) {
    if (thread == 0) {
      words[0].store(1, relaxed);
      words[1].store(1, release);
    } else if (thread == 1) {
      seen[0] = words[1].fetch_add(1, relaxed);
    } else {
      seen[1] = words[1].load(acquire);
      seen[2] = words[0].load(relaxed);
    }
  });
  EXPECT_TRUE(found.contains("1210"));
  EXPECT_FALSE(found.contains("1200"));
  EXPECT_TRUE(found.contains("0100"));
}

TEST(Litmus, load_buffering_is_left_out) {
  const Set found = outcomes_of(2, [](unsigned thread, Words& words, Seen& seen) {
    seen[thread] = words[thread].load(relaxed);
    words[1 - thread].store(1, relaxed);
  });
  EXPECT_FALSE(found.contains("1100"));
  EXPECT_EQ(found.size(), 3U);
}

// Races, deadlocks and failed checks are found.

class Small final : public Scenario {
 public:
  using Run = void (*)(Small&, unsigned);
  explicit Small(Run body) : run_{body} {}
  [[nodiscard]] unsigned thread_count() const override { return 2; }
  void run(unsigned thread) override { run_(*this, thread); }
  Atomic<std::uint32_t> flag;
  Atomic<std::uint32_t> asleep;
  std::uint32_t data = 0;
  Bell bell;

 private:
  Run run_;
};

std::string failure_of(Small::Run run) { return explore<Small>("small", Options{}, run).failure; }

TEST(Checker, finds_a_data_race_and_none_where_there_is_none) {
  EXPECT_NE(failure_of([](Small& small, unsigned thread) {
              if (thread == 0) {
                plain_store(&small.data, 1);
                small.flag.store(1, relaxed);
              } else if (small.flag.load(acquire) == 1) {
                plain_load(&small.data);
              }
            }).find("data race"),
            std::string::npos);
  EXPECT_EQ(failure_of([](Small& small, unsigned thread) {
              if (thread == 0) {
                plain_store(&small.data, 1);
                small.flag.store(1, release);
              } else if (small.flag.load(acquire) == 1) {
                require(plain_load(&small.data) == 1, "stale");
              }
            }),
            "");
}

TEST(Checker, finds_a_lost_wake_up) {
  EXPECT_NE(failure_of([](Small& small, unsigned thread) {
              if (thread == 0) {
                small.asleep.store(1, release);
                if (small.flag.load(acquire) == 0) small.bell.wait();
              } else {
                small.flag.store(1, release);
                if (small.asleep.load(acquire) == 1) small.bell.ring();
              }
            }).find("nobody can go on"),
            std::string::npos);
}

TEST(Checker, finds_the_failing_one_of_many_executions_and_shows_it) {
  const Report report = explore<Small>("small", Options{}, Small::Run{[](Small& small, unsigned thread) {
                                         if (thread == 0) {
                                           for (std::uint32_t i = 1; i <= 5; ++i)
                                             small.flag.store(i, relaxed);
                                         } else {
                                           require(small.flag.load(relaxed) != 4, "four");
                                         }
                                       }});
  EXPECT_EQ(report.failure, "four");
  EXPECT_NE(report.trace.find("thread 1 loads (relaxed)"), std::string::npos);
}

TEST(Checker, a_polling_loop_ends_and_one_that_nobody_ends_is_found) {
  EXPECT_EQ(failure_of([](Small& small, unsigned thread) {
              if (thread == 0) {
                small.flag.store(1, relaxed);
              } else {
                poll([&] { return small.flag.load(relaxed) == 1; });
              }
            }),
            "");
  EXPECT_NE(failure_of([](Small& small, unsigned thread) {
              if (thread == 0) {
                small.flag.store(2, relaxed);
              } else {
                poll([&] { return small.flag.load(relaxed) == 1; });
              }
            }),
            "");
}

}  // namespace
}  // namespace weft::model
