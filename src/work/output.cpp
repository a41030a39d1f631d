#include "work/output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <set>

#include "base/limits.hpp"
#include "process/forked.hpp"
#include "process/limits.hpp"
#include "work/attendant.hpp"

namespace weft::work {

namespace {

// A mark: these bytes, the call's id, 'b' or 'e'. Short enough that a pipe takes it whole. A task that prints the same
// bytes deceives nobody but those who ask for its own output.
constexpr std::string_view kMark{"\0\x1bweft-mark\x1b\0", 13};
constexpr std::size_t kMarkBytes = kMark.size() + sizeof(std::uint64_t) + 1;
static_assert(kMarkBytes == 22);

/// Of calls that have not settled a worker has no more than kWindowMax.
constexpr std::size_t kSpansMax = 2 * base::kWindowMax;

/// The outputs whose lines are not all written yet, and the right to write lines.
struct Lines {
  std::mutex list_mutex;
  std::set<std::shared_ptr<WorkerOutput>> list;
  std::mutex writing;
};

/// Never destroyed: used until the process ends.
Lines& lines() {
  static Lines& all = *new Lines;
  return all;
}

void write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote > 0) {
      text.remove_prefix(static_cast<std::size_t>(wrote));
      continue;
    }
    if (wrote < 0 && errno == EINTR) continue;
    // Nobody is there to be told of anything else: what cannot be written is lost, as with printf.
    if (wrote == 0 || errno != EAGAIN) return;
    pollfd room{fd, POLLOUT, 0};
    static_cast<void>(::poll(&room, 1, -1));
  }
}

void replace_all(std::string& text, std::string_view what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

}  // namespace

void WorkerOutput::prepare() { static_cast<void>(Attendant::reader()); }

base::Result<std::shared_ptr<WorkerOutput>> WorkerOutput::make(Output mode, std::string prefix) {
  auto output = std::make_shared<WorkerOutput>(Token{}, mode, std::move(prefix));
  if (auto opened = output->open(0, STDOUT_FILENO); !opened) return opened.fault();
  if (mode == Output::lines) {
    if (auto opened = output->open(1, STDERR_FILENO); !opened) return opened.fault();
  }
  return output;
}

base::Result<void> WorkerOutput::open(std::size_t index, int target) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return process::out_of_descriptors("a worker's output needs a pipe", errno);
  streams_[index].ours.reset(ends[0]);
  streams_[index].theirs.reset(ends[1]);
  streams_[index].target = target;
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {};
}

void WorkerOutput::pass_to(process::SpawnOptions& spawn) const {
  const Stream& errors = streams_[mode_ == Output::lines ? 1 : 0];
  spawn.descriptors.emplace_back(streams_[0].theirs.get(), STDOUT_FILENO);
  spawn.descriptors.emplace_back(errors.theirs.get(), STDERR_FILENO);
}

void WorkerOutput::begin(std::uint64_t worker_id, pid_t pid) {
  replace_all(prefix_, "{worker}", std::to_string(worker_id));
  replace_all(prefix_, "{pid}", std::to_string(pid));
  if (mode_ == Output::lines) {
    // What has come in is written before the program ends, as its own stdout is flushed.
    static const int registered = std::atexit([] {
      if (!process::in_forked_child()) flush(true);
    });
    static_cast<void>(registered);
    const std::lock_guard guard{lines().list_mutex};
    lines().list.insert(shared_from_this());
  }
  const std::lock_guard guard{mutex_};
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    if (!stream.ours) continue;
    stream.theirs.reset();
    stream.watch = Attendant::reader().watch(stream.ours.get(), false,
                                             [self = shared_from_this(), i] { self->on_readable(i); });
  }
}

void WorkerOutput::on_readable(std::size_t index) {
  if (mode_ == Output::lines) return write_lines();
  const std::lock_guard guard{mutex_};
  read(streams_[index]);
}

/// Reads what has come. One thread writes at a time, so that no line gets into another.
void WorkerOutput::write_lines(bool all) {
  const std::lock_guard one_writer{lines().writing};
  bool done = true;
  for (Stream& stream : streams_) {
    std::string text;
    {
      const std::lock_guard guard{mutex_};
      read(stream);
      text = take_lines(stream, prefix_, all || !stream.ours);
      done = done && ended_;
    }
    write_all(stream.target, text);
  }
  if (!done) return;
  const std::lock_guard guard{lines().list_mutex};
  lines().list.erase(shared_from_this());
}

void WorkerOutput::flush(bool all) {
  std::set<std::shared_ptr<WorkerOutput>> outputs;
  {
    const std::lock_guard guard{lines().list_mutex};
    outputs = lines().list;
  }
  for (const auto& each : outputs) each->write_lines(all);
}

/// What is in the pipe now, and no more: a worker that prints without end would never let go of the caller.
void WorkerOutput::read(Stream& stream) {
  if (!stream.ours) return;
  int waiting = 0;
  static_cast<void>(::ioctl(stream.ours.get(), FIONREAD, &waiting));
  auto left = static_cast<std::size_t>(std::max(waiting, 1));
  std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  while (left > 0) {
    const ssize_t got = ::read(stream.ours.get(), buffer.data(), std::min(left, buffer.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return close(stream);
    left -= static_cast<std::size_t>(got);
    const std::string_view text{buffer.data(), static_cast<std::size_t>(got)};
    stream.unread += text;
    mode_ == Output::lines ? keep(text) : find_marks(stream);
  }
}

void WorkerOutput::close(Stream& stream) {
  if (stream.watch != 0) Attendant::reader().forget(stream.watch, stream.ours.get());
  stream.watch = 0;
  stream.ours.reset();
}

/// The whole lines; with `all`, or where a line is too long to be waited for, what there is of it.
std::string WorkerOutput::take_lines(Stream& stream, const std::string& prefix, bool all) {
  std::string text;
  std::string_view rest = stream.unread;
  while (!rest.empty()) {
    std::size_t line = rest.find('\n');
    const bool whole = line != std::string_view::npos;
    if (!whole) {
      if (!all && rest.size() < base::kOutputLineBytesMax) break;
      line = rest.size();
    }
    text += prefix;
    text += rest.substr(0, line);
    text += '\n';
    rest.remove_prefix(whole ? line + 1 : line);
  }
  stream.unread.erase(0, stream.unread.size() - rest.size());
  return text;
}

void WorkerOutput::find_marks(Stream& stream) {
  std::string_view rest = stream.unread;
  for (;;) {
    const std::size_t at = rest.find(kMark.front());
    keep(rest.substr(0, at));
    if (at == std::string_view::npos) {
      rest = {};
      break;
    }
    rest.remove_prefix(at);
    const std::size_t same = std::min(kMark.size(), rest.size());
    if (rest.substr(0, same) != kMark.substr(0, same)) {
      keep(rest.substr(0, 1));
      rest.remove_prefix(1);
      continue;
    }
    if (rest.size() < kMarkBytes) break;  // its end has not come yet
    on_mark(rest.data() + kMark.size());
    rest.remove_prefix(kMarkBytes);
  }
  stream.unread.erase(0, stream.unread.size() - rest.size());
}

void WorkerOutput::on_mark(const char* mark) {
  std::uint64_t call_id = 0;
  std::memcpy(&call_id, mark, sizeof call_id);
  if (mark[sizeof call_id] == 'b') {
    if (spans_.size() == kSpansMax) spans_.pop_front();
    spans_.push_back({call_id, total_});
    return;
  }
  const auto found =
      std::find_if(spans_.rbegin(), spans_.rend(), [&](const Span& span) { return span.call_id == call_id; });
  if (found != spans_.rend()) found->end = total_;
}

void WorkerOutput::keep(std::string_view text) {
  total_ += text.size();
  kept_ += text;
  if (kept_.size() > 2 * base::kOutputKeptBytes) kept_.erase(0, kept_.size() - base::kOutputKeptBytes);
}

std::string WorkerOutput::of_call(std::uint64_t call_id) {
  const std::lock_guard guard{mutex_};
  read(streams_[0]);
  const auto found =
      std::find_if(spans_.begin(), spans_.end(), [&](const Span& span) { return span.call_id == call_id; });
  if (found == spans_.end()) return {};
  const std::uint64_t end = std::min(found->end, total_);
  std::uint64_t begin = std::max(found->begin, total_ - kept_.size());
  spans_.erase(found);
  if (begin >= end) return {};
  begin = std::max(begin, end - std::min<std::uint64_t>(end, base::kOutputKeptBytes));
  return kept_.substr(kept_.size() - (total_ - begin), end - begin);
}

std::string WorkerOutput::last() {
  const std::lock_guard guard{mutex_};
  for (Stream& stream : streams_) read(stream);
  return kept_.substr(kept_.size() - std::min(kept_.size(), base::kOutputKeptBytes));
}

void WorkerOutput::end() {
  {
    const std::lock_guard guard{mutex_};
    for (Stream& stream : streams_) {
      read(stream);
      if (stream.ours) close(stream);
    }
    ended_ = true;
  }
  if (mode_ == Output::lines) Attendant::reader().post([self = shared_from_this()] { self->write_lines(); });
}

base::Result<TaskOutput> TaskOutput::make(Output mode) {
  TaskOutput output;
  output.mode_ = mode;
  if (mode != Output::inherit) static_cast<void>(std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ));
  if (mode == Output::capture) {
    output.pipe_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!output.pipe_) return process::out_of_descriptors("a worker's output needs a descriptor", errno);
  }
  return output;
}

void TaskOutput::end(std::uint64_t call_id) noexcept {
  std::cout.flush();
  std::fflush(stdout);
  mark(call_id, 'e');
}

void TaskOutput::mark(std::uint64_t call_id, char kind) noexcept {
  if (!pipe_) return;
  std::array<char, kMarkBytes> mark;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::memcpy(mark.data(), kMark.data(), kMark.size());
  std::memcpy(mark.data() + kMark.size(), &call_id, sizeof call_id);
  mark.back() = kind;
  write_all(pipe_.get(), {mark.data(), mark.size()});
}

std::string last_line(std::string_view text) {
  constexpr std::size_t kBytesMax = 400;
  const std::size_t end = text.find_last_not_of("\r\n\t ");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  const std::size_t newline = text.rfind('\n');
  if (newline != std::string_view::npos) text.remove_prefix(newline + 1);
  std::string line{text.substr(0, kBytesMax)};
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return line;
}

}  // namespace weft::work
