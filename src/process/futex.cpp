#include "process/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

namespace weft::process {

void futex_wait(const base::Atomic<std::uint32_t>& word, std::uint32_t expected,
                std::uint64_t deadline_ns) noexcept {
  const timespec deadline{static_cast<time_t>(deadline_ns / 1'000'000'000),
                          static_cast<long>(deadline_ns % 1'000'000'000)};
  // The bitset form takes a moment; the plain one takes a span.
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, deadline_ns == 0 ? nullptr : &deadline, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

void futex_wake_all(const base::Atomic<std::uint32_t>& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace weft::process
