#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <weft/error.hpp>
#include <weft/stream.hpp>

#include "base/check.hpp"
#include "work/pool_core.hpp"

namespace weft {

namespace {

void set_nonblocking(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  WEFT_CHECK(flags >= 0 && ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
             "a stream of no descriptor");
}

[[noreturn]] void throw_failed(const char* what) {
  throw Error{std::string{what} + " failed: " + std::strerror(errno), {}};
}

/// SIGPIPE is kept from this thread, and what write() raises is taken away again.
class NoSigpipe {
 public:
  NoSigpipe() noexcept {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    const int error = errno;
    const timespec now{};
    if (raised && !was_pending_) static_cast<void>(::sigtimedwait(&pipe_, nullptr, &now));
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  bool raised = false;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

ssize_t write_some(int descriptor, std::string_view text) {
  NoSigpipe no_sigpipe;
  const ssize_t written = ::write(descriptor, text.data(), text.size());
  no_sigpipe.raised = written < 0 && errno == EPIPE;
  return written;
}

}  // namespace

ReadStream::ReadStream(int descriptor) : descriptor_{descriptor} { set_nonblocking(descriptor); }

ReadStream::~ReadStream() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

/// Reads on; false at the deadline. At the end there is no descriptor any more.
bool ReadStream::fetch(std::uint64_t deadline_ns) {
  constexpr std::size_t kAtOnce = 64U << 10;
  for (;;) {
    const std::size_t before = here_.size();
    here_.resize(before + kAtOnce);
    const ssize_t got = ::read(descriptor_, here_.data() + before, kAtOnce);
    const int error = errno;
    here_.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got > 0) return true;
    if (got == 0) {
      ::close(std::exchange(descriptor_, -1));
      return true;
    }
    errno = error;
    if (error == EINTR) continue;
    if (error != EAGAIN) throw_failed("reading from a process");
    work::require_may_wait();
    if (!work::own_reactor().wait_readable(descriptor_, deadline_ns)) return false;
  }
}

std::string ReadStream::read(std::size_t bytes_max) {
  if (here_.empty() && descriptor_ >= 0) static_cast<void>(fetch(detail::kNever));
  if (here_.size() <= bytes_max) return std::exchange(here_, {});
  std::string some = here_.substr(0, bytes_max);
  here_.erase(0, bytes_max);
  return some;
}

std::string ReadStream::read_all() {
  while (descriptor_ >= 0) static_cast<void>(fetch(detail::kNever));
  return std::exchange(here_, {});
}

std::optional<std::string> ReadStream::line(std::uint64_t deadline_ns) {
  std::size_t looked = 0;
  for (;;) {
    const std::size_t end = here_.find('\n', looked);
    if (end != std::string::npos) {
      std::string found = here_.substr(0, end);
      here_.erase(0, end + 1);
      return found;
    }
    if (descriptor_ < 0) return here_.empty() ? std::nullopt : std::optional{std::exchange(here_, {})};
    looked = here_.size();
    if (!fetch(deadline_ns)) throw TimedOut{"no line came in time", {}};
  }
}

std::optional<std::string> ReadStream::read_line() { return line(detail::kNever); }
std::optional<std::string> ReadStream::read_line_for(std::chrono::nanoseconds timeout) {
  return line(detail::deadline_after(timeout));
}

WriteStream::WriteStream(int descriptor) : descriptor_{descriptor} { set_nonblocking(descriptor); }

void WriteStream::close() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

std::size_t WriteStream::write_until(std::uint64_t deadline_ns, std::string_view text) {
  if (descriptor_ < 0) throw Closed{"the stream was closed"};
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t some = write_some(descriptor_, text.substr(written));
    if (some >= 0) {
      written += static_cast<std::size_t>(some);
    } else if (errno == EPIPE) {
      throw Closed{"the process does not read any more"};
    } else if (errno == EAGAIN) {
      work::require_may_wait();
      if (!work::own_reactor().wait_writable(descriptor_, deadline_ns)) break;
    } else if (errno != EINTR) {
      throw_failed("writing to a process");
    }
  }
  return written;
}

void WriteStream::write(std::string_view text) { static_cast<void>(write_until(detail::kNever, text)); }
std::size_t WriteStream::write_for(std::chrono::nanoseconds timeout, std::string_view text) {
  return write_until(detail::deadline_after(timeout), text);
}

}  // namespace weft
