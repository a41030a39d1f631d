#pragma once

#include <cstdint>
#include <string>
#include <weft/task.hpp>

namespace weft::work {

/// The task that a frame's `function` stands for in this process, nullptr if there is none. `function` may be anything.
const detail::TaskEntry* find_task(std::uint64_t function, bool named);

/// The same for one task after the other: they come in rows of the same kind. Threads: one at a time.
class TaskFinder {
 public:
  const detail::TaskEntry* find(std::uint64_t function, bool named) {
    if (function != function_ || named) [[unlikely]]
      return find_other(function, named);
    return entry_;
  }

 private:
  const detail::TaskEntry* find_other(std::uint64_t function, bool named);
  std::uint64_t function_ = 0;
  const detail::TaskEntry* entry_ = nullptr;
};

/// Why there is none in this program, and what to do; the parent puts before it what it knows, the task's name and who asked.
std::string describe_unknown_task(bool named);

/// "checksum" for messages; "task 0x1234" where the entry is not in this process.
std::string task_name(std::uint64_t function, bool named);

}  // namespace weft::work
