// The program: an honest worker, or one that lies (hostile_lying.cpp).

#include "crash/hostile_worker.hpp"

#include <weft/weft.hpp>

int main(int argc, char** argv) {
  weft::crash::lie_if_asked(argc, argv);
  weft::init(argc, argv);
  return 2;
}
