#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

namespace weft::contract {

/// For a task that ends when the test says so; each for one, since a reader takes all that it finds.
class Gate {
 public:
  Gate() {
    if (::pipe(ends_) != 0) std::abort();
  }
  ~Gate() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  [[nodiscard]] std::string path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ends_[0]);
  }
  void open() const { EXPECT_EQ(::write(ends_[1], "x", 1), 1); }

 private:
  int ends_[2] = {};
};

/// A task that waits at the gate of this path, and then gives `value`, or throws if that is negative.
inline int behind(std::string path, int value) {
  std::ifstream{path}.get();
  if (value < 0) throw std::out_of_range{"below zero"};
  return value;
}

}  // namespace weft::contract
