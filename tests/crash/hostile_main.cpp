// The test is a program that uses weft like any other: its workers are this same executable, and may lie too.

#include <gtest/gtest.h>

#include <weft/init.hpp>

#include "crash/hostile_worker.hpp"

int main(int argc, char** argv) {
  weft::crash::lie_if_asked(argc, argv);
  weft::init(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
