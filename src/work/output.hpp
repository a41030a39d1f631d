#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <weft/error.hpp>
#include <weft/pool.hpp>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "process/spawn.hpp"

namespace weft::work {

/// What one worker prints, where it does not go straight to the parent's own stdout and stderr: it comes through pipes,
/// which a thread of its own reads, so that a terminal or a pipe that takes no more holds up nobody but the workers that
/// print.
///
/// Output::lines: a pipe each for stdout and stderr; whole lines are written on, with a prefix.
/// Output::capture: one pipe for both, so that they keep their order; the worker marks in it where a task begins and ends.
///
/// Owner: the worker's Peer, and the thread that reads. Threads: any. Crash: of the worker: what it had written is read.
class WorkerOutput : public std::enable_shared_from_this<WorkerOutput> {
  struct Token {};

 public:
  /// Starts the thread that reads, for the pools of this process. Throws Exhausted.
  static void prepare();
  /// Makes the pipes. Faults: exhausted.
  static base::Result<std::shared_ptr<WorkerOutput>> make(Output mode, std::string prefix);
  WorkerOutput(Token, Output mode, std::string prefix) : mode_{mode}, prefix_{std::move(prefix)} {}

  /// Makes the pipes the worker's stdout and stderr.
  void pass_to(process::SpawnOptions& spawn) const;
  /// The worker runs: its ends are closed here, and what it prints is read from now on.
  void begin(std::uint64_t worker_id, pid_t pid);
  /// Output::capture: what was printed while the call `call_id` ran, kOutputKeptBytes at most. Once a call; reads what
  /// has come, without waiting.
  std::string of_call(std::uint64_t call_id);
  /// The end of all that it printed. Reads what has come, without waiting.
  std::string last();
  /// The worker has ended, or was never begun: what it left is read, and nothing more.
  void end();

  /// Writes on what has come so far from all workers of this process with Output::lines; `all`: of a last line that has
  /// no end too. May block on stdout.
  static void flush(bool all = false);

 private:
  struct Stream {
    base::UniqueFd ours;
    base::UniqueFd theirs;
    int target = -1;
    std::uint64_t watch = 0;
    std::string unread;  ///< lines: what is not written on yet; capture: what may be the beginning of a mark
  };
  struct Span {
    static constexpr std::uint64_t kOpen = UINT64_MAX;
    std::uint64_t call_id = 0;
    std::uint64_t begin = 0;  ///< positions count all that was ever kept
    std::uint64_t end = kOpen;
  };

  base::Result<void> open(std::size_t index, int target);
  void on_readable(std::size_t index);
  void write_lines(bool all = false);
  void read(Stream& stream);
  void close(Stream& stream);
  static std::string take_lines(Stream& stream, const std::string& prefix, bool all);
  void find_marks(Stream& stream);
  void on_mark(const char* mark);
  void keep(std::string_view text);

  const Output mode_;
  std::string prefix_;
  std::mutex mutex_;  // guards all below
  std::array<Stream, 2> streams_;
  std::string kept_;         ///< the last kOutputKeptBytes, or twice as many
  std::uint64_t total_ = 0;  ///< the position where kept_ ends
  std::deque<Span> spans_;   ///< of calls that nobody has asked about yet
  bool ended_ = false;
};

/// The worker's side: stdout is written line by line, as on a terminal, and a task's output is all written when the task
/// is answered; with Output::capture its beginning and end are marked.
///
/// Owner: the worker's loop. Threads: its own.
class TaskOutput {
 public:
  /// Marks what is stdout now, wherever a task may redirect it later. Faults: exhausted.
  static base::Result<TaskOutput> make(Output mode);
  /// False with Output::inherit: there is nothing to do then.
  [[nodiscard]] bool active() const noexcept { return mode_ != Output::inherit; }
  void begin(std::uint64_t call_id) noexcept { mark(call_id, 'b'); }
  void end(std::uint64_t call_id) noexcept;

 private:
  void mark(std::uint64_t call_id, char kind) noexcept;
  Output mode_ = Output::inherit;
  base::UniqueFd pipe_;  ///< with Output::capture
};

/// The last line of a text that is not empty, cut to what a message can bear.
std::string last_line(std::string_view text);

}  // namespace weft::work
