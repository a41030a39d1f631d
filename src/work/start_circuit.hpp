#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace weft::work {

/// Whether starting workers is worth another attempt, as a circuit breaker tells (M. Nygard, "Release It!"): the fifth start
/// that fails within base::kCircuitWindowNs opens it for so long. After that starts are tried again, and the first that fails opens it at once.
///
/// Owner: a pool. Threads: one at a time.
class StartCircuit {
 public:
  /// No start is to be tried; reason() says why. Once the time is over, the next start that ends decides.
  bool is_open(std::uint64_t now_ns) noexcept;
  /// `what` could not start a worker, since `why`.
  void failed(std::uint64_t now_ns, const std::string& what, const std::string& why);
  void succeeded() noexcept { is_probing_ = false; }
  /// Why it is open, or was the last time.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

 private:
  std::array<std::uint64_t, 5> failures_ns_{};  // the last ones, in a ring
  std::size_t failures_ = 0;
  std::uint64_t open_until_ns_ = 0;
  bool is_probing_ = false;
  std::string reason_;
};

}  // namespace weft::work
