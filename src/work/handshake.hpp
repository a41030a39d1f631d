#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "wire/control.hpp"

namespace weft::work {

/// A worker's or zygote's end of the control socket until it is ready; what fails before is told to the parent, and ends
/// the process, or the thread where the worker is one.
///
/// Owner: worker_main() or zygote_main(). Threads: the worker's first. Blocks: until the parent has spoken.
class Handshake {
 public:
  static constexpr int kStartFailed = 121;  ///< exit code
  /// Thrown by end() where the worker is a thread.
  struct Ended {};

  explicit Handshake(int control, bool is_thread = false) : control_{control}, is_thread_{is_thread} {}

  /// There is nothing more to say, or nobody to say it to.
  [[noreturn]] void end();

  [[noreturn]] void fail(const char* phase, const std::string& message, std::vector<std::byte> failure = {});
  template <class T>
  T need(const char* phase, base::Result<T> result) {
    if (!result) fail(phase, result.fault().message);
    return *std::move(result);
  }

  /// The parent's first message, and the `count` descriptors that must come with it. From then on a process ends with
  /// its parent.
  wire::Hello hello(std::vector<base::UniqueFd>& descriptors, std::size_t count);
  base::UniqueFd& control() noexcept { return control_; }

 private:
  base::UniqueFd control_;
  bool is_thread_;
};

/// Runs the initializer that the Hello names, if it names one.
void run_initializer(Handshake& handshake, const wire::Hello& hello);

}  // namespace weft::work
