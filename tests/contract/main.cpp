// The contract tests are a program that uses weft like any other: its workers are this same executable.

#include <gtest/gtest.h>

#include <weft/init.hpp>

int main(int argc, char** argv) {
  weft::init(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
