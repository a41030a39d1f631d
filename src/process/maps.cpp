#include "process/maps.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace weft::process {

Maps::Maps() noexcept : file_{::open("/proc/self/maps", O_RDONLY | O_CLOEXEC)} {}

bool Maps::next_byte(char& byte) noexcept {
  if (taken_ == filled_) {
    if (!file_) return false;
    ssize_t count = 0;
    do count = ::read(file_.get(), buffer_, sizeof buffer_);
    while (count < 0 && errno == EINTR);
    if (count <= 0) return false;
    filled_ = static_cast<std::size_t>(count);
    taken_ = 0;
  }
  byte = buffer_[taken_++];
  return true;
}

std::uint64_t Maps::hex_number(char& stopped_at) noexcept {
  std::uint64_t number = 0;
  stopped_at = '\0';
  char byte = '\0';
  while (next_byte(byte)) {
    if (byte >= '0' && byte <= '9') {
      number = number << 4 | static_cast<std::uint64_t>(byte - '0');
    } else if (byte >= 'a' && byte <= 'f') {
      number = number << 4 | static_cast<std::uint64_t>(byte - 'a' + 10);
    } else {
      stopped_at = byte;
      break;
    }
  }
  return number;
}

// A line is "begin-end rwxp offset major:minor inode      path\n", the numbers but the inode in hexadecimal.
bool Maps::next(Line& line) noexcept {
  line = Line{};
  char byte = '\0';
  line.begin = hex_number(byte);
  if (byte != '-') return false;
  line.end = hex_number(byte);
  if (byte != ' ') return false;
  for (int index = 0; next_byte(byte) && byte != ' '; ++index) {
    if (index == 2) line.executable = byte == 'x';
  }
  line.file_offset = hex_number(byte);
  for (int fields = 0; fields < 2 && byte != '\n';) {
    if (!next_byte(byte)) return false;
    if (byte == ' ') ++fields;
  }
  std::size_t length = 0;
  bool fits = true;
  while (byte != '\n' && next_byte(byte) && byte != '\n') {
    if (length == 0 && byte == ' ') continue;
    fits = fits && length < sizeof path_;
    if (fits) path_[length++] = byte;
  }
  if (fits) line.path = std::string_view{path_, length};
  return true;
}

}  // namespace weft::process
