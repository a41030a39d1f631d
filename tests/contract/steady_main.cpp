// Counts what the loaded path and an idle pool cost, rather than time it. The counted programs are this same one in the
// roles of steady_subject.cpp.

#include <gtest/gtest.h>

#include <weft/init.hpp>

#include "contract/steady_subject.hpp"

int main(int argc, char** argv) {
  weft::init(argc, argv);
  weft::contract::play_role(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
