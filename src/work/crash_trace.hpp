#pragma once

#include <mutex>
#include <string>
#include <weft/error.hpp>

namespace weft {

/// The backtrace of a crashed worker, made when somebody asks for it. Whoever raises WorkerCrashed derives one that holds
/// what make() needs.
///
/// Owner: all copies of the WorkerCrashed together. Threads: text() any. Blocks: text() reads files the first time.
struct WorkerCrashed::Trace {
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
