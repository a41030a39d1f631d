#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

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

/// memcpy, without a call where it is a number that is copied.
inline void copy_bytes(std::byte* to, const std::byte* from, std::size_t size) noexcept {
  if (size == sizeof(std::uint64_t)) {
    std::memcpy(to, from, sizeof(std::uint64_t));
  } else if (size == sizeof(std::uint32_t)) {
    std::memcpy(to, from, sizeof(std::uint32_t));
  } else if (size != 0) {
    std::memcpy(to, from, size);
  }
}

}  // namespace weft::base
