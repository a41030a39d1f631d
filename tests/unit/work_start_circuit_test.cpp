#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "work/start_circuit.hpp"

namespace {

using weft::work::StartCircuit;

constexpr std::uint64_t kWindow = weft::base::kCircuitWindowNs;
constexpr std::uint64_t kBegin = 3 * kWindow;  // a clock that has run for a while

void fail(StartCircuit& circuit, std::uint64_t now_ns, int times) {
  for (int i = 0; i < times; ++i) circuit.failed(now_ns, "pool", "no file " + std::to_string(i));
}

TEST(StartCircuit, opens_with_the_fifth_failure_for_as_long_as_the_window) {
  StartCircuit circuit;
  fail(circuit, kBegin, 4);
  EXPECT_FALSE(circuit.is_open(kBegin));
  circuit.failed(kBegin + 1, "pool", "no memory");
  EXPECT_TRUE(circuit.is_open(kBegin + 1));
  EXPECT_TRUE(circuit.is_open(kBegin + kWindow));
  EXPECT_EQ(circuit.reason(),
            "the pool has stopped starting workers for 10 s, since 5 starts failed within 10 s; the last "
            "one: no memory");
  EXPECT_FALSE(circuit.is_open(kBegin + 1 + kWindow));
}

TEST(StartCircuit, stays_closed_where_the_failures_are_further_apart) {
  StartCircuit circuit;
  for (std::uint64_t i = 0; i < 20; ++i) {
    circuit.failed(kBegin + i * kWindow / 4, "pool", "no file");  // the fifth is a window after the first
    EXPECT_FALSE(circuit.is_open(kBegin + i * kWindow / 4)) << i;
  }
}

TEST(StartCircuit, opens_again_where_the_attempt_after_it_fails_and_says_so) {
  StartCircuit circuit;
  fail(circuit, kBegin, 5);
  ASSERT_FALSE(circuit.is_open(kBegin + kWindow));
  circuit.failed(kBegin + 2 * kWindow, "pool", "still no file");
  EXPECT_TRUE(circuit.is_open(kBegin + 2 * kWindow));
  EXPECT_EQ(circuit.reason(),
            "the pool has stopped starting workers for 10 s, since the attempt after the last such break "
            "failed; the last "
            "one: still no file");
}

TEST(StartCircuit, counts_anew_once_an_attempt_has_succeeded) {
  StartCircuit circuit;
  fail(circuit, kBegin, 5);
  ASSERT_FALSE(circuit.is_open(kBegin + kWindow));
  circuit.succeeded();
  fail(circuit, kBegin + 2 * kWindow, 4);
  EXPECT_FALSE(circuit.is_open(kBegin + 2 * kWindow));
  fail(circuit, kBegin + 2 * kWindow, 1);
  EXPECT_TRUE(circuit.is_open(kBegin + 2 * kWindow));
}

}  // namespace
