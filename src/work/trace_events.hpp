#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>
#include <weft/observer.hpp>

namespace weft::work {

/// What a TraceFile was told, with texts of its own.
struct TraceRecord {
  enum class What : std::uint8_t { worker_started, worker_ready, worker_ended, task_submitted, task_settled };
  TraceRecord(What what, const WorkerEvent& event);
  TraceRecord(What what, const TaskEvent& event);

  What what;
  bool is_thread;
  std::uint64_t pool;
  std::uint64_t worker;
  std::int64_t pid;
  std::uint64_t task = 0;
  std::int64_t thread = 0;
  TaskTimes times;   ///< of a task; of a worker, `submitted` alone: when it was
  std::string text;  ///< name of the task; reason of a worker's end
  std::string owner;
  std::string error;
  std::string message;
};

/// Makes of them events in the Trace Event Format (Google, 2016), each behind a comma and a newline:
///   X  a slice of a track: a submission, a run, a result, a worker's start
///   s, t, f  the arrow between those three, in this order; its id is the task's number
///   i  a worker has ended; or some could not be kept
///   M  names of tracks, before their first event
///
/// Owner: one TraceFile. Threads: one at a time.
class TraceEvents {
 public:
  void append(std::string& to, const TraceRecord& record);
  /// So many records could not be kept.
  void append_loss(std::string& to, std::uint64_t count);

 private:
  struct Row {
    std::int64_t pid = 0;
    std::int64_t tid = 0;
    TaskTimes::Time free_from;  ///< where its last slice ends
  };
  struct Worker {
    std::string name;
    TaskTimes::Time started;
    std::vector<Row> rows;  ///< more than one where several tasks run at once
  };
  Worker& worker_of(std::string& to, const TraceRecord& record);
  Row& free_row(std::string& to, Worker& worker, TaskTimes::Time begun);
  Row& thread_row(std::string& to, std::int64_t thread);
  void append_point(std::string& to, Row& row, const char* name, TaskTimes::Time at, const char* flow,
                    const TraceRecord& record);

  std::map<std::pair<std::uint64_t, std::uint64_t>, Worker> workers_;
  std::map<std::int64_t, Row> threads_;
  std::set<std::int64_t> named_processes_;
  std::int64_t last_row_ = 0;
};

}  // namespace weft::work
