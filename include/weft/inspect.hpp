#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <weft/export.hpp>

namespace weft {

/// What a worker is just doing.
enum class WorkerState : std::uint8_t {
  starting,  ///< its process runs and takes no tasks yet
  idle,      ///< has nothing to do and looks for work, for some microseconds
  parked,    ///< has nothing to do and sleeps
  busy,      ///< runs a task
  waiting,   ///< all the tasks that it has begun are suspended, and it sleeps
  zygote,    ///< no worker, but the process that workers are copied from (WorkerKind::zygote)
};

/// How often the tasks of a worker took how long, in buckets that double.
struct WEFT_EXPORT RunTimes {
  /// [0]: below 64 ns; [i]: from 2^(i + 5) to 2^(i + 6) ns; the last: from 68.7 s on.
  std::array<std::uint64_t, 32> counts{};

  /// So many percent (0 to 100) took no longer: the end of the bucket that this falls into, so up to twice too high. Of the
  /// last bucket its beginning. 0 if there is none.
  [[nodiscard]] std::chrono::nanoseconds percentile(double percent) const noexcept;
  /// What stays at the greatest number rather than begin anew, since what workers say may be anything.
  RunTimes& operator+=(const RunTimes& other) noexcept;
};

/// A worker, seen from outside. What a worker says of itself may be wrong where that worker runs wild.
struct WorkerLook {
  std::int64_t pid = 0;    ///< of a thread: its program's
  bool is_thread = false;  ///< WorkerKind::thread
  WorkerState state = WorkerState::starting;
  std::uint64_t tasks_done =
      0;  ///< exact while it sleeps; up to 8 less while it is busy with tasks below 1 us
  std::uint64_t tasks_in_hand = 0;  ///< begun and not done
  /// Of those that are done, what each took its worker, decoding and answering included. Where tasks have lately taken less than
  /// 1 us, up to eight are counted with their mean, a long one among them too. One that was suspended while others ran is
  /// not in it, nor are up to seven short ones before it.
  RunTimes run_times;
  /// Of the one that it runs, or began last: the function, lambda type or aggregate, as the compiler spells it. Empty where it
  /// has none in hand, where the program was stripped of its symbols, and for named tasks.
  std::string task;
  std::chrono::nanoseconds cpu_time{0};  ///< of its process so far; 0 for a thread
  std::uint64_t resident_bytes = 0;      ///< RSS of its process; 0 for a thread
  /// PSS: what it shares is divided by those that share it. Absent for a thread, and where the kernel does not tell.
  std::optional<std::uint64_t> proportional_bytes = std::nullopt;
};

/// A program that uses weft, seen from outside.
struct ProgramLook {
  std::int64_t pid = 0;
  std::string name;       ///< as the kernel has it, 15 bytes at the most
  std::size_t pools = 0;  ///< pools, Workers and contexts
  std::vector<WorkerLook> workers;
  std::chrono::nanoseconds cpu_time{0};
  std::uint64_t resident_bytes = 0;
  std::optional<std::uint64_t> proportional_bytes = std::nullopt;
  std::string problem;  ///< why it, or a worker of its, could not be looked into; empty if all could
  std::chrono::steady_clock::time_point at;  ///< when this was
};

/// Looks at the programs of this user that have workers or could have, without their help: through /proc and the memory that
/// they share with their workers, which is mapped read-only. Costs them nothing. A program is whatever holds a pool, so
/// workers with pools of their own are among them. Sorted by pid. Threads: any. Blocks: reads files, some ms.
[[nodiscard]] WEFT_EXPORT std::vector<ProgramLook> look_at_programs();

/// The same for one program, of another user too where the system allows it. Throws ArgumentError if there is no such
/// process or it holds no pool, Incompatible if its weft has another layout of shared memory, Error if it may not be looked
/// into.
[[nodiscard]] WEFT_EXPORT ProgramLook look_at_program(std::int64_t pid);

}  // namespace weft
