#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::contract {

/// Copies of fewer bytes are not counted: they are of headers and names.
inline constexpr std::size_t kLargeBytes = 16 * 1024;

/// Of this process, since it began.
std::uint64_t allocations_so_far();
std::uint64_t copied_bytes_so_far();

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
inline constexpr bool kCounts = false;
#else
inline constexpr bool kCounts = true;
#endif

}  // namespace weft::contract
