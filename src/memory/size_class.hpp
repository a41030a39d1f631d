#pragma once

#include <bit>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/limits.hpp"

namespace weft::memory {

// The sizes that blocks come in: powers of two from a line to 4 KiB, then four steps a doubling (5, 6, 7, 8
// KiB, 10, 12,
// ...) up to kSharedBlockBytesMax, so that those waste at most a fifth of what they hold. All are whole
// lines.

inline constexpr std::uint32_t kSmallClasses = 7;  // 64 B ... 4 KiB
inline constexpr std::uint32_t kSharedClasses = kSmallClasses + 4 * 14;
/// The class of blocks that have a chunk of their own, whatever their size.
inline constexpr std::uint32_t kOwnChunkClass = kSharedClasses;

constexpr std::uint64_t class_bytes(std::uint32_t size_class) noexcept {
  if (size_class < kSmallClasses) return base::kLineBytes << size_class;
  const std::uint32_t step = size_class - kSmallClasses;
  return std::uint64_t{5 + step % 4} << (10 + step / 4);
}

constexpr std::uint32_t class_of(std::uint64_t bytes) noexcept {
  if (bytes <= base::kLineBytes) return 0;
  if (bytes > base::kSharedBlockBytesMax) return kOwnChunkClass;
  const std::uint64_t last = bytes - 1;
  const auto width = static_cast<std::uint32_t>(std::bit_width(last));
  if (bytes <= 4096) return width - 6;
  return kSmallClasses + (width - 13) * 4 + static_cast<std::uint32_t>((last >> (width - 3)) & 3);
}

static_assert(class_bytes(class_of(base::kSharedBlockBytesMax)) == base::kSharedBlockBytesMax);
static_assert(class_of(base::kSharedBlockBytesMax) == kSharedClasses - 1);

}  // namespace weft::memory
