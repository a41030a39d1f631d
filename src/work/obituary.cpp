#include "work/obituary.hpp"

#include <weft/error.hpp>

#include "process/crash_record.hpp"
#include "process/symbolize.hpp"
#include "wire/frame.hpp"
#include "work/named_tasks.hpp"
#include "work/output.hpp"
#include "work/trace.hpp"

namespace weft::work {

namespace {

struct RecordedTrace final : WorkerCrashed::Trace {
  explicit RecordedTrace(process::CrashRecord record_) : record{std::move(record_)} {}
  std::string make() override { return process::format_trace(process::symbolize(record)); }
  process::CrashRecord record;
};

std::chrono::microseconds cpu_time(const rusage& usage) noexcept {
  return std::chrono::seconds{usage.ru_utime.tv_sec + usage.ru_stime.tv_sec} +
         std::chrono::microseconds{usage.ru_utime.tv_usec + usage.ru_stime.tv_usec};
}

}  // namespace

std::string describe_call(const Call& call) {
  std::string name = task_name(call.function, (call.flags & wire::kNamed) != 0);
  const std::uint32_t deaths = call.timed ? call.extra()->terms.deaths : 0;
  if (deaths == 0) return name;
  return name + " (which " + std::to_string(deaths) + (deaths == 1 ? " worker" : " workers") +
         " had died of before)";
}

std::exception_ptr obituary(Deceased worker) {
  const process::ExitStatus& status = worker.status;
  process::CrashRecord record;
  if (auto read = process::read_crash_record(worker.black_box)) record = *std::move(read);
  WorkerEnd end;
  end.pid = worker.pid;
  end.task = worker.task;
  end.cpu_time = cpu_time(status.usage);
  end.memory_peak_bytes = static_cast<std::uint64_t>(status.usage.ru_maxrss) * 1024;
  const std::string who =
      "worker " + std::to_string(worker.worker_id) + " (pid " + std::to_string(worker.pid) + ")";
  const std::string printed = last_line(worker.last_output);
  end.last_output = std::move(worker.last_output);
  if (status.known && !status.signalled) {
    end.exit_code = status.code;
    std::string message = who + " " + process::describe(status) + " while it ran " + worker.task;
    if (!record.note.empty()) message += ": " + record.note;
    end.reason = record.note;
    if (!printed.empty()) message += "; it printed last: " + printed;
    return std::make_exception_ptr(WorkerExited{message, std::move(end)});
  }
  end.signal = status.known ? status.code : record.signal;
  end.address = record.address;
  std::string message = who + " crashed while it ran " + worker.task + ": " + process::describe(status);
  if (record.crashed) message += "; " + process::describe(record);
  if (record.looks_like_stack_overflow()) message += " (most likely a stack overflow)";
  if (record.exception) {
    end.reason = record.exception->type.empty() ? "std::terminate was called"
                                                : record.exception->type + ": " + record.exception->message;
    // Where nothing at all was left, the name could not be made readable.
    const std::string& type = record.exception->type;
    if ((type == "std::bad_alloc" || type == "St9bad_alloc") && worker.allowance.memory_bytes != 0) {
      end.reason += "; its memory was limited to " + process::describe_bytes(worker.allowance.memory_bytes) +
                    " (RLIMIT_DATA, WorkerLimits::memory_bytes)";
    }
    message += "; " + end.reason;
  }
  if (!printed.empty()) message += "; it printed last: " + printed;
  return std::make_exception_ptr(
      WorkerCrashed{message, std::move(end), std::make_shared<RecordedTrace>(std::move(record))});
}

}  // namespace weft::work
