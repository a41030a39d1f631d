#pragma once
// Checks for bugs (ours or the caller's): always on, print and abort. Never used on data that another process
// wrote: that is input, and is refused with an error instead.

namespace weft::base {

/// Prints `expression`, `message` and the place to stderr and aborts. Async-signal-safe.
[[noreturn]] void check_failed(const char* expression, const char* message, const char* file,
                               int line) noexcept;

}  // namespace weft::base

#define WEFT_CHECK(condition, message)               \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::weft::base::check_failed(#condition, (message), __FILE__, __LINE__))
