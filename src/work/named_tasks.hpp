#pragma once

#include <cstdint>
#include <string>
#include <weft/task.hpp>

namespace weft::work {

/// The task that a frame's `function` stands for in this process, nullptr if there is none. `function` may be anything.
const detail::TaskEntry* find_task(std::uint64_t function, bool named);

/// Why there is none in this program, and what to do; the parent puts before it what it knows, the task's name and who asked.
std::string describe_unknown_task(bool named);

/// "checksum" for messages; "task 0x1234" where the entry is not in this process.
std::string task_name(std::uint64_t function, bool named);

}  // namespace weft::work
