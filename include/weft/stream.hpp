#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <weft/deadline.hpp>
#include <weft/export.hpp>

namespace weft {

/// What another process writes, as it comes: the reading end of a pipe.
///
/// Owner: the caller; moves. Threads: one at a time. Waiting suspends the fiber and nothing else.
class WEFT_EXPORT ReadStream {
 public:
  /// Of no process: at its end.
  ReadStream() noexcept = default;
  /// Takes `descriptor` over, which must be a pipe or a socket.
  explicit ReadStream(int descriptor);
  ReadStream(ReadStream&& other) noexcept { swap(other); }
  ReadStream& operator=(ReadStream&& other) noexcept {
    swap(other);
    return *this;
  }
  ~ReadStream();

  /// What has come, up to `bytes_max` of it; waits for one byte at least. Empty at the end. Throws Exhausted, Error.
  [[nodiscard]] std::string read(std::size_t bytes_max = 64U << 10);
  /// The next line without its end, or what is left at the end; nullopt after it. A line is as long as it is. Throws as
  /// read() does.
  [[nodiscard]] std::optional<std::string> read_line();
  /// The same; throws TimedOut if there is no whole line in time. Nothing is lost then.
  [[nodiscard]] std::optional<std::string> read_line_for(std::chrono::nanoseconds timeout);
  /// Everything up to the end.
  [[nodiscard]] std::string read_all();

 private:
  void swap(ReadStream& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(here_, other.here_);
  }
  bool fetch(std::uint64_t deadline_ns);
  std::optional<std::string> line(std::uint64_t deadline_ns);

  int descriptor_ = -1;  ///< -1 at the end
  std::string here_;     ///< what has been read and not been given out
};

/// What another process reads: the writing end of a pipe.
///
/// Owner: the caller; moves. Threads: one at a time. Waiting suspends the fiber and nothing else.
class WEFT_EXPORT WriteStream {
 public:
  /// Of no process: closed.
  WriteStream() noexcept = default;
  /// Takes `descriptor` over, which must be a pipe or a socket.
  explicit WriteStream(int descriptor);
  WriteStream(WriteStream&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  WriteStream& operator=(WriteStream&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~WriteStream() { close(); }

  /// Writes all of it; waits while the pipe is full. Throws Closed if nobody reads any more, or after close(); part of it
  /// may have been written then. No SIGPIPE is raised. Throws Exhausted, Error.
  void write(std::string_view text);
  /// The same for at most `timeout`: how many bytes were written.
  [[nodiscard]] std::size_t write_for(std::chrono::nanoseconds timeout, std::string_view text);
  /// Whoever reads comes to the end. Doing it again does nothing.
  void close() noexcept;

 private:
  std::size_t write_until(std::uint64_t deadline_ns, std::string_view text);
  int descriptor_ = -1;
};

}  // namespace weft
