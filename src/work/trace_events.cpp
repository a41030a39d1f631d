#include "work/trace_events.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>

#include "base/json.hpp"

namespace weft::work {

namespace {

/// Numbers of tracks that belong to no thread of the kernel's: above all that it gives out.
constexpr std::int64_t kFirstRow = std::int64_t{1} << 24;
/// A submission and a result are points in time, and arrows need something to begin and end at.
constexpr std::chrono::nanoseconds kPoint{50};
constexpr std::size_t kTextBytesMax = 1024;

using Time = TaskTimes::Time;

std::string_view cut(std::string_view text) { return text.substr(0, kTextBytesMax); }

/// In us, which is the format's unit.
void append_us(std::string& to, const char* key, std::chrono::nanoseconds time) {
  char text[48];
  const std::int64_t ns = std::max<std::int64_t>(time.count(), 0);
  std::snprintf(text, sizeof text, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, static_cast<int>(ns % 1000));
  to += text;
}

void append_number(std::string& to, const char* key, std::int64_t number) {
  to += ",\"";
  to += key;
  to += "\":" + std::to_string(number);
}

void append_text(std::string& to, const char* key, std::string_view text) {
  to += ",\"";
  to += key;
  to += "\":";
  base::append_json(to, text);
}

constexpr const char* kOfTask = "task";
constexpr const char* kOfWorker = "worker";

/// What every event has; a name of a track belongs to no category.
void begin(std::string& to, const char* phase, const char* category, std::string_view name, std::int64_t pid,
           std::int64_t tid) {
  to += ",\n{\"ph\":\"";
  to += phase;
  to += '"';
  if (category != nullptr) append_text(to, "cat", category);
  append_text(to, "name", name);
  append_number(to, "pid", pid);
  append_number(to, "tid", tid);
}

void append_name(std::string& to, const char* of, std::int64_t pid, std::int64_t tid, std::string_view name) {
  begin(to, "M", nullptr, of, pid, tid);
  to += ",\"args\":{\"name\":";
  base::append_json(to, name);
  to += "}}";
}

void append_flow(std::string& to, const char* phase, std::int64_t pid, std::int64_t tid, Time at,
                 std::uint64_t task) {
  begin(to, phase, kOfTask, "task", pid, tid);
  append_us(to, "ts", at.time_since_epoch());
  to += ",\"bp\":\"e\",\"id\":" + std::to_string(task) + "}";
}

std::string name_of_thread(std::int64_t thread) {
  if (thread == ::getpid()) return "submitter";
  std::string name;
  std::getline(std::ifstream{"/proc/self/task/" + std::to_string(thread) + "/comm"}, name);
  return name.empty() ? "a thread" : name;
}

}  // namespace

TraceRecord::TraceRecord(What what_, const WorkerEvent& event)
    : what{what_},
      is_thread{event.is_thread},
      pool{event.pool},
      worker{event.worker},
      pid{event.pid},
      text{cut(event.reason)},
      owner{event.owner} {
  times.submitted = event.at;
}

TraceRecord::TraceRecord(What what_, const TaskEvent& event)
    : what{what_},
      is_thread{event.is_thread},
      pool{event.pool},
      worker{event.times.worker},
      pid{event.times.pid},
      task{event.task},
      thread{event.thread},
      times{event.times},
      text{cut(event.name)},
      error{cut(event.error)},
      message{cut(event.message)} {}

TraceEvents::Worker& TraceEvents::worker_of(std::string& to, const TraceRecord& record) {
  const auto [found, is_new] = workers_.try_emplace({record.pool, record.worker});
  Worker& worker = found->second;
  if (!is_new) return worker;
  const std::string owner = record.owner.empty() ? "pool" : record.owner;
  worker.name =
      "worker " + std::to_string(record.worker) + " of " + owner + " " + std::to_string(record.pool);
  worker.started = record.times.submitted;
  worker.rows.push_back({record.pid, record.is_thread ? kFirstRow + ++last_row_ : record.pid, {}});
  if (!record.is_thread && named_processes_.insert(record.pid).second)
    append_name(to, "process_name", record.pid, record.pid, worker.name);
  append_name(to, "thread_name", record.pid, worker.rows.front().tid, worker.name);
  return worker;
}

/// Slices of one track must not overlap. Runs come in the order of their ends, or nearly so.
TraceEvents::Row& TraceEvents::free_row(std::string& to, Worker& worker, Time begun) {
  for (Row& row : worker.rows) {
    if (row.free_from <= begun) return row;
  }
  const std::int64_t pid = worker.rows.front().pid;
  worker.rows.push_back({pid, kFirstRow + ++last_row_, {}});
  append_name(to, "thread_name", pid, worker.rows.back().tid,
              worker.name + " (" + std::to_string(worker.rows.size()) + ")");
  return worker.rows.back();
}

TraceEvents::Row& TraceEvents::thread_row(std::string& to, std::int64_t thread) {
  const auto [found, is_new] = threads_.try_emplace(thread);
  if (is_new) {
    found->second = {::getpid(), thread, {}};
    if (named_processes_.insert(::getpid()).second)
      append_name(to, "process_name", ::getpid(), ::getpid(), program_invocation_short_name);
    append_name(to, "thread_name", ::getpid(), thread, name_of_thread(thread));
  }
  return found->second;
}

/// A submission or a result, and the end of the arrow there.
void TraceEvents::append_point(std::string& to, Row& row, const char* name, Time at, const char* flow,
                               const TraceRecord& record) {
  at = std::max(at, row.free_from);
  row.free_from = at + kPoint;
  begin(to, "X", kOfTask, std::string{name} + " " + record.text, row.pid, row.tid);
  append_us(to, "ts", at.time_since_epoch());
  append_us(to, "dur", kPoint);
  to += ",\"args\":{\"task\":" + std::to_string(record.task);
  if (!record.error.empty()) append_text(to, "error", record.error + ": " + record.message);
  to += "}}";
  append_flow(to, flow, row.pid, row.tid, at, record.task);
}

void TraceEvents::append(std::string& to, const TraceRecord& record) {
  using What = TraceRecord::What;
  switch (record.what) {
    case What::task_submitted:
      return append_point(to, thread_row(to, record.thread), "submit", record.times.submitted, "s", record);
    case What::task_settled: {
      const bool did_run = record.times.begun != record.times.settled;
      if (did_run) {
        Row& row = free_row(to, worker_of(to, record), record.times.begun);
        row.free_from = record.times.ended;
        begin(to, "X", kOfTask, record.text, row.pid, row.tid);
        append_us(to, "ts", record.times.begun.time_since_epoch());
        append_us(to, "dur", record.times.ran());
        to += ",\"args\":{\"task\":" + std::to_string(record.task);
        append_us(to, "waited_us", record.times.waited());
        append_number(to, "attempts", record.times.attempts);
        if (!record.error.empty()) append_text(to, "error", record.error + ": " + record.message);
        to += "}}";
        append_flow(to, "t", row.pid, row.tid, record.times.begun, record.task);
      }
      return append_point(to, thread_row(to, record.thread), "result of", record.times.settled, "f", record);
    }
    case What::worker_started:
      static_cast<void>(worker_of(to, record));
      return;
    case What::worker_ready: {
      Worker& worker = worker_of(to, record);
      const Row& row = worker.rows.front();
      begin(to, "X", kOfWorker, "start", row.pid, row.tid);
      append_us(to, "ts", worker.started.time_since_epoch());
      append_us(to, "dur", record.times.submitted - worker.started);
      to += '}';
      worker.rows.front().free_from = record.times.submitted;
      return;
    }
    case What::worker_ended: {
      const Row& row = worker_of(to, record).rows.front();
      begin(to, "i", kOfWorker, "end", row.pid, row.tid);
      append_us(to, "ts", record.times.submitted.time_since_epoch());
      to += ",\"s\":\"t\",\"args\":{\"reason\":";
      base::append_json(to, record.text);
      to += "}}";
      workers_.erase({record.pool, record.worker});
      return;
    }
  }
}

void TraceEvents::append_loss(std::string& to, std::uint64_t count) {
  begin(to, "i", kOfTask,
        std::to_string(count) + " events left out: they came faster than they could be written", ::getpid(),
        ::getpid());
  append_us(to, "ts", std::chrono::steady_clock::now().time_since_epoch());
  to += ",\"s\":\"g\"}";
}

}  // namespace weft::work
