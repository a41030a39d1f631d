#pragma once

#include <string>
#include <vector>

namespace weft_cli {

/// Why a task gave no picture.
struct Failure {
  std::string reason{};              ///< one line
  std::string signal{};              ///< "SIGSEGV" if a signal ended the worker, else empty
  std::vector<std::string> trace{};  ///< the first frames of the crashed worker's stack, innermost first
  bool not_done = false;             ///< nothing is wrong with the file: the program was stopped before
};

/// The exception that is being handled, which an execution's get() threw. While the program is `stopping`, a worker
/// that Ctrl-C caught before it could ignore it counts as not done.
Failure current_failure(bool stopping);

}  // namespace weft_cli
