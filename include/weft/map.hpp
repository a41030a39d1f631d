#pragma once

#include <cstddef>

namespace weft {

/// How map() and for_each() cut a range into tasks.
struct MapOptions {
  /// Items that travel together as one task. 0: by what they have taken so far, so that a task lasts about half a
  /// millisecond, and towards the end less. Items that may hold a Buffer travel 255 together at the most.
  std::size_t batch = 0;
};

}  // namespace weft
