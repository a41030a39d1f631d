#pragma once
// Tasks that talk.

#include <cstdint>
#include <weft/weft.hpp>

namespace weft::contract {

/// Sends back what comes until no more does; gives how many came.
inline std::uint64_t echo(weft::TaskScope& scope) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  std::uint64_t count = 0;
  try {
    for (;; ++count) parent.send(parent.receive());
  } catch (const weft::Closed&) {
  }
  return count;
}

/// Adds `more` to each number that comes, until there are no more; gives how many came.
inline int add_to_each(weft::TaskScope& scope, int more) {
  auto parent = scope.channel<int, int>();
  int count = 0;
  try {
    for (;; ++count) parent.send(parent.receive() + more);
  } catch (const weft::Closed&) {
  }
  return count;
}

/// Adds up what comes until no more does.
inline std::uint64_t sum(weft::TaskScope& scope) {
  auto parent = scope.channel<std::uint64_t, std::uint64_t>();
  std::uint64_t sum = 0;
  try {
    for (;;) sum += parent.receive();
  } catch (const weft::Closed&) {
  }
  return sum;
}

}  // namespace weft::contract
