#pragma once

#include <mutex>
#include <string>
#include <weft/error.hpp>

namespace weft {

/// The backtrace of a crashed worker or of an exception, made when somebody asks for it. Whoever raises the error derives
/// one that holds what make() needs.
///
/// Owner: all copies of the error together. Threads: text() any. Blocks: text() reads files the first time.
struct detail::Trace {
  Trace() = default;
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  virtual ~Trace() = default;

  [[nodiscard]] const std::string& text() {
    std::call_once(once_, [this] { text_ = make(); });
    return text_;
  }

 private:
  /// Called once, by whichever thread asks first.
  virtual std::string make() = 0;

  std::once_flag once_;
  std::string text_;
};

}  // namespace weft
