#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::base {

/// One cache line on every machine that weft runs on; a fixed part of the wire, not a property of the host.
inline constexpr std::size_t kLineBytes = 64;

/// `value` rounded up to a multiple of `unit`, a power of two.
constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t unit) noexcept {
  return (value + unit - 1) & ~(unit - 1);
}

constexpr bool is_power_of_two(std::uint64_t value) noexcept {
  return value != 0 && (value & (value - 1)) == 0;
}

}  // namespace weft::base
