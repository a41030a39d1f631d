#include "vips_session.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace weft_cli {
namespace {

/// libvips also loads tables of numbers as pictures, and by ImageMagick nearly everything: a text file would become
/// a picture of its text. So all loaders are shut, then those of pictures and PDF opened again.
constexpr const char* kLoaders[] = {
    "VipsForeignLoadJpeg",  "VipsForeignLoadPng",  "VipsForeignLoadWebp", "VipsForeignLoadTiff",
    "VipsForeignLoadNsgif", "VipsForeignLoadHeif", "VipsForeignLoadJxl",  "VipsForeignLoadSvg",
    "VipsForeignLoadJp2k",  "VipsForeignLoadPpm",  "VipsForeignLoadPdf",
};

void say_nothing(const char*, GLogLevelFlags, const char*, void*) {}

bool start() {
  // Codecs warn through GLib's log, which would write between the lines of the progress bar.
  g_log_set_default_handler(&say_nothing, nullptr);
  if (VIPS_INIT("weft") != 0) return false;
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  vips_operation_block_set("VipsForeignLoad", TRUE);
  for (const char* loader : kLoaders) vips_operation_block_set(loader, FALSE);
  return true;
}

/// "vipspng: libpng read error" -> "libpng read error": the part's name says nothing to a reader of the report.
std::string_view without_part(std::string_view line) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos || line.substr(0, colon).find(' ') != std::string_view::npos)
    return line;
  return line.substr(colon + 2);
}

}  // namespace

void start_vips() {
  static const bool started = start();
  if (!started) throw std::runtime_error{"libvips cannot start: " + take_vips_message()};
}

std::string take_vips_message() {
  const std::string buffer = vips_error_buffer();
  vips_error_clear();
  const auto contains = [&buffer](const char* words) { return buffer.find(words) != std::string::npos; };
  if (contains("is not a known file format") || contains("operation is blocked"))
    return "is no picture that can be read";
  if (contains("is encrypted")) return "is encrypted, and needs a password";
  std::string message;
  std::string_view last;
  std::string_view rest = buffer;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = without_part(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line == last) continue;  // A codec says the same of each tile.
    if (!message.empty()) message += "; ";
    message += line;
    last = line;
  }
  return message.empty() ? "cannot be read" : message;
}

void require_readable(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error{std::strerror(errno)};
  struct stat status {};
  const int failed = ::fstat(file, &status);
  ::close(file);
  if (failed == 0 && S_ISREG(status.st_mode) && status.st_size == 0) throw std::runtime_error{"is empty"};
}

}  // namespace weft_cli
