#include "base/check.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace weft::base {

namespace {

void put(const char* text) noexcept {
  const ssize_t written = ::write(STDERR_FILENO, text, std::strlen(text));
  static_cast<void>(written);  // Nothing is left to tell it to: the process ends here.
}

}  // namespace

void check_failed(const char* expression, const char* message, const char* file, int line) noexcept {
  char digits[12];
  char* end = digits + sizeof digits;
  char* begin = end;
  *--begin = '\0';
  for (int rest = line; rest > 0 && begin > digits; rest /= 10) *--begin = static_cast<char>('0' + rest % 10);
  put("weft: check failed: ");
  put(message);
  put(" [");
  put(expression);
  put("] at ");
  put(file);
  put(":");
  put(begin);
  put("\n");
  std::abort();
}

}  // namespace weft::base
