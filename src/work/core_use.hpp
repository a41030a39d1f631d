#pragma once

#include <cstdint>
#include <span>

namespace weft::work {

class Peer;

/// Whether this process and its workers use the cores that they may. Where they do, one more worker that is woken brings
/// nothing; where tasks wait for something rather than compute, there are cores for more.
///
/// Owner: the pool. Threads: under its lock.
class CoreUse {
 public:
  /// To be called now and then while there is much to do; looks once in kCoresLookNs.
  void look(std::span<Peer* const> workers, unsigned cores) noexcept;
  /// What the last look has found.
  [[nodiscard]] bool is_full() const noexcept { return is_full_; }

 private:
  bool is_full_ = false;
  std::uint64_t looked_ns_ = 0;    // when that was, and
  std::uint64_t cpu_time_ns_ = 0;  // how long this process had run then
};

}  // namespace weft::work
