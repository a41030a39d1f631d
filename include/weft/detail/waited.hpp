#pragma once

#include <cstdint>
#include <weft/deadline.hpp>
#include <weft/error.hpp>

namespace weft::detail {

/// How a wait ended.
enum class Waited : std::uint8_t {
  came,       ///< what was waited for
  timed_out,  ///< the deadline
  late,       ///< the deadline of the task that waits, before its own
  closed,     ///< it will never come
  exhausted,  ///< this thread could not wait: it has no descriptors for that
};

/// True if it came, false at the deadline. Throws TimedOut (of the task that waits), Closed, Exhausted.
inline bool came(Waited waited) {
  switch (waited) {
    case Waited::came:
      return true;
    case Waited::timed_out:
      return false;
    case Waited::late:
      throw TimedOut{"the deadline of the task that waits has passed (TaskOptions::deadline)", Verdict{},
                     TimeLimit::deadline};
    case Waited::closed:
      throw Closed{"the channel was closed"};
    case Waited::exhausted:
      break;
  }
  throw Exhausted{
      "a thread cannot wait: it needs two descriptors for that, and there are none left: raise RLIMIT_NOFILE "
      "(ulimit -n)"};
}

}  // namespace weft::detail
