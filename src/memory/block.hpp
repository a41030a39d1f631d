#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/check.hpp"

namespace weft::memory {

class Arena;
class ArenaCore;
class LoanBook;
struct Chunk;

/// Where bytes lie in their owner's chunks, as it travels in a frame.
struct BlockRef {
  std::uint32_t chunk =
      0;  ///< ids start at 1 and are never used again within the life of the owner's process
  std::uint32_t reserved = 0;  ///< zero
  std::uint64_t offset = 0;    ///< bytes from the beginning of the chunk
  std::uint64_t length = 0;    ///< bytes
  friend bool operator==(const BlockRef&, const BlockRef&) = default;
};
static_assert(sizeof(BlockRef) == 24);

/// What a peer must be given before it can read a block.
struct ChunkInfo {
  std::uint32_t id = 0;
  int fd = -1;  ///< stays the arena's; open for as long as a Block of the chunk lives
  std::uint64_t bytes = 0;
};

/// A handle on bytes in an arena. Copies share the block, which goes back to the arena with the last of them;
/// it may outlive the Arena object.
///
/// Owner: all handles together. Threads: a handle as an int; different handles of one block from any threads,
/// but they write the same bytes. Blocks: never in the common case; giving the last handle back may unmap a
/// chunk.
class Block {
 public:
  Block() noexcept = default;
  Block(const Block& other) noexcept;
  Block(Block&& other) noexcept
      : chunk_{std::exchange(other.chunk_, nullptr)},
        data_{std::exchange(other.data_, nullptr)},
        size_{std::exchange(other.size_, 0)},
        index_{other.index_} {}
  Block& operator=(Block other) noexcept {
    swap(other);
    return *this;
  }
  ~Block() {
    if (chunk_ != nullptr) drop();
  }

  /// False for a handle that was moved from or never held a block. A block of 0 bytes is true.
  [[nodiscard]] explicit operator bool() const noexcept { return chunk_ != nullptr; }
  /// Aligned to a line of 64 bytes, unless narrowed.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept {
    return {data_, static_cast<std::size_t>(size_)};
  }
  /// How far resize() can go: what the block has behind data(), at least size().
  [[nodiscard]] std::uint64_t capacity() const noexcept;
  /// Sets the size of this handle, 0 to capacity(). What lies behind the old size is whatever was there
  /// before.
  void resize(std::uint64_t size) noexcept;
  /// This handle looks at `length` bytes from `offset` on, within size(). The block stays whole.
  void narrow(std::uint64_t offset, std::uint64_t length) noexcept;
  /// True if no other handle and no loan holds the block, so that nobody else reads what is written now.
  [[nodiscard]] bool is_sole() const noexcept;

  [[nodiscard]] BlockRef ref() const noexcept;
  [[nodiscard]] ChunkInfo chunk() const noexcept;

  void reset() noexcept { *this = Block{}; }
  void swap(Block& other) noexcept {
    std::swap(chunk_, other.chunk_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(index_, other.index_);
  }

 private:
  friend class ArenaCore;
  friend class LoanBook;
  Block(Chunk* chunk, std::uint32_t index, std::byte* data, std::uint64_t size) noexcept
      : chunk_{chunk}, data_{data}, size_{size}, index_{index} {}
  void drop() noexcept;

  Chunk* chunk_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t size_ = 0;
  std::uint32_t index_ = 0;  // of the block within its chunk
};

}  // namespace weft::memory
