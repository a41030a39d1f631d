#pragma once

#include <cstdint>

namespace weft::wire {

// A shared object has one name in all processes: the process that it lives in, and its number there.

/// Bits of the number. Above it is room for any process id: Linux has none of more than 22 bits (PID_MAX_LIMIT).
inline constexpr unsigned kObjectNumberBits = 42;
inline constexpr std::uint64_t kObjectNumberMask = (std::uint64_t{1} << kObjectNumberBits) - 1;

constexpr std::uint64_t object_name(std::uint64_t home, std::uint64_t number) noexcept {
  return home << kObjectNumberBits | number;
}
constexpr std::uint64_t home_of(std::uint64_t name) noexcept { return name >> kObjectNumberBits; }
constexpr std::uint64_t number_of(std::uint64_t name) noexcept { return name & kObjectNumberMask; }

// Numbers are scattered over all that there could be: a worker that gets a name wrong has that of no object, rather than
// that of one that it was never given. Multiplying by an odd number modulo a power of two goes both ways.

namespace detail {
inline constexpr std::uint64_t kScatter = 0x9e3779b97f4a7c15;
constexpr std::uint64_t inverse(std::uint64_t odd) noexcept {
  std::uint64_t found = odd;  // right in its lowest 3 bits, and in twice as many after each step (Newton)
  for (int step = 0; step < 5; ++step) found *= 2 - odd * found;
  return found;
}
}  // namespace detail

/// Of the object that a process makes as its `serial`-th, from 1 on.
constexpr std::uint64_t scattered(std::uint64_t serial) noexcept {
  return serial * detail::kScatter & kObjectNumberMask;
}
constexpr std::uint64_t serial_of(std::uint64_t number) noexcept {
  return number * detail::inverse(detail::kScatter) & kObjectNumberMask;
}
static_assert(serial_of(scattered(1)) == 1 && serial_of(scattered(kObjectNumberMask)) == kObjectNumberMask);

}  // namespace weft::wire
