#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>
#include <weft/error.hpp>
#include <weft/init.hpp>
#include <weft/trace_file.hpp>

#include "base/unique_fd.hpp"
#include "process/forked.hpp"
#include "process/limits.hpp"
#include "process/signals.hpp"
#include "work/array_file.hpp"
#include "work/faults.hpp"
#include "work/observation.hpp"
#include "work/trace_events.hpp"

namespace weft {

namespace {

constexpr std::chrono::milliseconds kBatchTime{100};
/// Records that wait to be written: some 300 MB. More are counted and left out.
constexpr std::size_t kRecordsMax = 1'000'000;

/// The files that are being written, so that the end of the program finds them whole: pools keep them, and may be kept
/// themselves for a moment longer. Threads: any.
template <class Writer>
class OpenFiles {
 public:
  static void add(Writer& writer) {
    static const AtExit at_exit;
    const std::lock_guard guard{mutex()};
    all().insert(&writer);
  }
  static void remove(Writer& writer) {
    const std::lock_guard guard{mutex()};
    all().erase(&writer);
  }
  static void flush() {
    if (process::in_forked_child()) return;
    const std::lock_guard guard{mutex()};
    for (Writer* const writer : all()) writer->flush();
  }

 private:
  struct AtExit {
    ~AtExit() { flush(); }
  };
  // Used until the very end, by other threads too.
  static std::mutex& mutex() {
    static auto& the_mutex = *new std::mutex;
    return the_mutex;
  }
  static std::set<Writer*>& all() {
    static auto& the_files = *new std::set<Writer*>;
    return the_files;
  }
};

}  // namespace

/// The file, and the thread that writes it. Threads: any.
class TraceFile::Writer {
 public:
  explicit Writer(const std::filesystem::path& path) : path_{path.string()}, array_{open()} {
    if (!array_.begin()) refuse(errno);
    const process::BlockedSignals blocked;
    try {
      thread_ = std::thread{[this] { run(); }};
    } catch (const std::system_error& error) {
      work::throw_fault(process::out_of_processes("a trace needs a thread", error.code().value()));
    }
    OpenFiles<Writer>::add(*this);
  }
  ~Writer() {
    OpenFiles<Writer>::remove(*this);
    {
      const std::lock_guard guard{mutex_};
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  template <class Event>
  void add(work::TraceRecord::What what, const Event& event) {
    bool is_first = false;
    {
      const std::lock_guard guard{mutex_};
      if (records_.size() >= kRecordsMax) {
        ++left_out_;
        return;
      }
      is_first = records_.empty();
      records_.emplace_back(what, event);
    }
    if (is_first) changed_.notify_all();
  }

  void flush() {
    std::unique_lock lock{mutex_};
    const std::uint64_t wanted = writes_ + (is_writing_ ? 2 : 1);
    flush_until_ = std::max(flush_until_, wanted);
    changed_.notify_all();
    changed_.wait(lock, [&] { return writes_ >= wanted; });
  }

 private:
  [[noreturn]] void refuse(int error) const {
    throw ArgumentError{"the trace " + path_ + " cannot be written: " + std::strerror(error)};
  }

  [[nodiscard]] base::UniqueFd open() const {
    base::UniqueFd file{::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666)};
    if (!file) refuse(errno);
    return file;
  }

  void run() {
    ::pthread_setname_np(::pthread_self(), "weft-trace");
    std::unique_lock lock{mutex_};
    const auto is_urgent = [this] { return stopping_ || flush_until_ > writes_; };
    for (;;) {
      changed_.wait(lock, [&] { return !records_.empty() || is_urgent(); });
      changed_.wait_for(lock, kBatchTime, is_urgent);
      const bool is_last = stopping_;
      const bool was_urgent = is_urgent();
      const std::vector<work::TraceRecord> records = std::exchange(records_, {});
      const std::uint64_t left_out = std::exchange(left_out_, 0);
      is_writing_ = true;
      lock.unlock();
      write(records, left_out, was_urgent);
      lock.lock();
      is_writing_ = false;
      ++writes_;
      changed_.notify_all();
      if (is_last) return;
    }
  }

  void write(const std::vector<work::TraceRecord>& records, std::uint64_t left_out, bool trim) {
    if (failed_) return;
    std::string text;
    for (const work::TraceRecord& record : records) events_.append(text, record);
    if (left_out != 0) events_.append_loss(text, left_out);
    if (array_.append(text) && (!trim || array_.trim())) return;
    const int error = errno;
    failed_ = true;
    static_cast<void>(array_.trim());
    std::fprintf(stderr, "weft: the trace %s ends here, since it cannot be written: %s\n", path_.c_str(),
                 std::strerror(error));
  }

  const std::string path_;
  std::mutex mutex_;  // guards all down to flush_until_
  std::condition_variable changed_;
  std::vector<work::TraceRecord> records_;
  std::uint64_t left_out_ = 0;
  bool stopping_ = false;
  bool is_writing_ = false;
  std::uint64_t writes_ = 0;
  std::uint64_t flush_until_ = 0;
  // The thread's own.
  work::TraceEvents events_;
  work::ArrayFile array_;
  bool failed_ = false;
  std::thread thread_;
};

TraceFile::TraceFile(const std::filesystem::path& path) : writer_{std::make_unique<Writer>(path)} {}

TraceFile::~TraceFile() {
  // The thread is the parent's, and so is what it writes.
  if (process::in_forked_child()) static_cast<void>(writer_.release());
}

void TraceFile::flush() {
  if (!process::in_forked_child()) writer_->flush();
}

void TraceFile::flush_all() { OpenFiles<Writer>::flush(); }

void TraceFile::worker_started(const WorkerEvent& event) {
  writer_->add(work::TraceRecord::What::worker_started, event);
}
void TraceFile::worker_ready(const WorkerEvent& event) {
  writer_->add(work::TraceRecord::What::worker_ready, event);
}
void TraceFile::worker_ended(const WorkerEvent& event) {
  writer_->add(work::TraceRecord::What::worker_ended, event);
}
void TraceFile::task_submitted(const TaskEvent& event) {
  writer_->add(work::TraceRecord::What::task_submitted, event);
}
void TraceFile::task_begun(const TaskEvent& /*event*/) {}
void TraceFile::task_settled(const TaskEvent& event) {
  writer_->add(work::TraceRecord::What::task_settled, event);
}

namespace work {

namespace {

/// The one that WEFT_TRACE asks for.
class TraceOfAll {
 public:
  TraceOfAll() {
    // Not of a program that runs with more rights than whoever set this: the file would be written with those.
    const char* const wanted = ::secure_getenv("WEFT_TRACE");
    if (wanted == nullptr || *wanted == '\0') return;
    std::string path = wanted;
    const std::size_t at = path.find("%p");
    if (at != std::string::npos) {
      path.replace(at, 2, std::to_string(::getpid()));
    } else if (in_worker()) {
      return;  // the program's own stands there
    }
    try {
      file_ = std::make_shared<TraceFile>(path);
    } catch (const Error& error) {
      std::fprintf(stderr, "weft: WEFT_TRACE: %s\n", error.what());
    }
  }

  [[nodiscard]] const std::shared_ptr<TraceFile>& file() const noexcept { return file_; }

 private:
  std::shared_ptr<TraceFile> file_;
};

}  // namespace

std::vector<std::shared_ptr<Observer>> observers_of_all() {
  static const TraceOfAll trace;
  if (!trace.file()) return {};
  return {trace.file()};
}

}  // namespace work
}  // namespace weft
