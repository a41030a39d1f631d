#pragma once

#include <filesystem>
#include <memory>
#include <weft/export.hpp>
#include <weft/observer.hpp>

namespace weft {

/// Writes what happens in the pools that it is given to as a file that https://ui.perfetto.dev and chrome://tracing show
/// (Trace Event Format): a track for each worker with its tasks, one for each thread that submits or reads answers, and
/// for each task arrows from its submission to its run to its result.
///
/// Every program that uses weft writes one of all its pools, workers and contexts where the environment has
/// WEFT_TRACE=file.json; "%p" in that is the process id. Without "%p", workers' own pools are left out. A set-user-ID
/// program does not heed it.
///
/// The file is a JSON array that can be read at any time, and however the program ends. A thread of its own writes it, ten
/// times a second at most; what has happened since is lost where the program is killed, and nothing at its end by
/// exit() or of main. Costs a task some 0.8 us, its thread as much processor time as 2 us, and the file 0.7 KiB and
/// three times the task's name.
///
/// Owner: the program, as the Observer of PoolOptions::observer. Threads: any. Crash: of a worker: its task ends where the
/// worker did; of this process: the file ends before.
class WEFT_EXPORT TraceFile final : public Observer {
 public:
  /// Writes over what is there. Throws ArgumentError, with the system's reason, where it cannot be written; Exhausted
  /// where no thread can be had.
  explicit TraceFile(const std::filesystem::path& path);
  /// Writes the rest.
  ~TraceFile() override;

  /// Everything that was told so far is in the file when this returns. Blocks the thread.
  void flush();
  /// The same for all of this process, as at its end by exit() or the end of main.
  static void flush_all();

  void worker_started(const WorkerEvent& event) override;
  void worker_ready(const WorkerEvent& event) override;
  void worker_ended(const WorkerEvent& event) override;
  void task_submitted(const TaskEvent& event) override;
  void task_begun(const TaskEvent& event) override;
  void task_settled(const TaskEvent& event) override;

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

}  // namespace weft
