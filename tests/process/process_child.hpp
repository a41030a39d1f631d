#pragma once
// What the tests of the room process start: this same program with a task to do (process_child.cpp).

#include <sys/mman.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "process/black_box.hpp"
#include "process/crash_record.hpp"
#include "process/spawn.hpp"

namespace weft::process::test {

/// Where the child finds what it was given.
inline constexpr int kBlackBoxFd = 3;
inline constexpr int kSocketFd = 4;

/// Does `role` if the arguments ask for one, and ends the process; returns otherwise.
void play_role(int argc, char** argv);

/// This program, started as `role`.
SpawnOptions role(const std::string& name, std::vector<std::string> arguments = {});

/// Memory for a black box that a child can map too.
class SharedBox {
 public:
  SharedBox();
  ~SharedBox();
  SharedBox(const SharedBox&) = delete;
  SharedBox& operator=(const SharedBox&) = delete;
  [[nodiscard]] int fd() const { return file_.get(); }
  [[nodiscard]] std::span<const std::byte> area() const { return {mapped_, kBlackBoxBytes}; }

 private:
  base::UniqueFd file_;
  const std::byte* mapped_ = nullptr;
};

struct Ending {
  ExitStatus status;
  CrashRecord record;
};

/// Starts a child with a black box, as `role`, and waits for its end.
Ending run(const std::string& role_name);

}  // namespace weft::process::test
