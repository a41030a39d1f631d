#pragma once
// Marks that tasks leave in files, for the test or for other tasks.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

namespace {

inline void until_exists(const std::string& file) {
  while (::access(file.c_str(), F_OK) != 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
}
inline void append(const std::string& file, char letter) {
  const int fd = ::open(file.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  static_cast<void>(::write(fd, &letter, 1));
  ::close(fd);
}
inline std::string contents(const std::string& file) {
  char text[64];
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t length = ::read(fd, text, sizeof text);
  ::close(fd);
  return {text, length > 0 ? static_cast<std::size_t>(length) : 0};
}

}  // namespace
