#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <weft/weft.hpp>

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

/// The same, saying that it has begun.
inline int told_behind(TaskScope& scope, const std::string& path, int value) {
  scope.progress(1);
  return behind(path, value);
}

/// Of a task that says so by its progress. That a worker has it does not mean that it has begun.
template <class R>
void until_begun(Execution<R>& execution) {
  while (execution.progress().done == 0) std::this_thread::yield();
}

}  // namespace weft::contract
