#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <weft/detail/call_handle.hpp>
#include <weft/export.hpp>

namespace weft::work {
class Gathering;
}

namespace weft::detail {

/// Several calls, of whatever pools, in the order in which they settle. Threads: one at a time.
class WEFT_EXPORT Gathering {
 public:
  /// For so many calls.
  explicit Gathering(std::size_t size);

  /// The next one; the first has index 0. Throws ArgumentError if the handle is of no call.
  void add(const CallHandle& handle);
  /// Suspends the fiber until `count` have settled or, with `or_failure`, one has failed (true), or the steady clock is
  /// at `deadline_ns` (false).
  bool wait(std::size_t count, bool or_failure, std::uint64_t deadline_ns);
  /// The index of the one that settled after `before` others, which must have.
  [[nodiscard]] std::size_t settled_after(std::size_t before) const;
  [[nodiscard]] std::optional<std::size_t> first_failure() const;

 private:
  std::shared_ptr<work::Gathering> gathering_;
};

}  // namespace weft::detail
