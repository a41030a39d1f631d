#pragma once

#include <csignal>

namespace weft_cli {

/// Counts SIGINT and SIGTERM while it lives. The first asks the program to end soon, the second at once, the third
/// finds the system's own way. Signals that were ignored when the program started (nohup) stay ignored. A terminal
/// sends Ctrl-C to the workers too, which ignore it.
///
/// One at a time, by the main thread.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] int count() const;
  /// The last one's number, 0 if there was none.
  [[nodiscard]] int signal() const;

 private:
  struct sigaction interrupt_before_ {};
  struct sigaction terminate_before_ {};
};

}  // namespace weft_cli
