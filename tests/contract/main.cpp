// The contract tests are a program that uses weft like any other: its workers are this same executable. So are the
// programs that tests start.

#include <gtest/gtest.h>

#include <weft/init.hpp>

#include "contract/role.hpp"

int main(int argc, char** argv) {
  weft::init(argc, argv);
  if (weft::contract::Role::play(argc, argv)) return 0;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
