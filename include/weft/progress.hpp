#pragma once

#include <cstdint>

namespace weft {

/// How far a task says that it has come, in units of its own.
struct Progress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;  ///< 0 where it does not know
  friend bool operator==(const Progress&, const Progress&) = default;
};

}  // namespace weft
