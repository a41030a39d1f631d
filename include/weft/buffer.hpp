#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <weft/export.hpp>

namespace weft {

namespace detail {
struct BufferBox;  // where the bytes live, and who must be told when nobody reads them any more
}

/// Bytes in shared memory that travel between processes without a copy: as an argument, as a result, inside other
/// values, there and back again. Copies share the bytes, like a std::shared_ptr.
///
/// Owner: all handles together; memory lent by another process is given back with the last of them.
/// Threads: different handles from any threads; the bytes are as any memory. Blocks: never.
/// Crash: bytes lent by a worker that died stay readable for as long as a handle lives.
class WEFT_EXPORT Buffer {
 public:
  /// No bytes.
  Buffer() noexcept = default;
  /// `size` bytes of this process's arena, contents unspecified, aligned to 64 bytes; writable() until it is shared.
  /// Throws Exhausted, naming the limit, if they cannot be had.
  explicit Buffer(std::size_t size);
  /// A new buffer with a copy of `bytes`. Throws Exhausted.
  static Buffer copy_of(std::span<const std::byte> bytes);
  static Buffer copy_of(std::string_view text) { return copy_of(std::as_bytes(std::span{text})); }

  Buffer(const Buffer& other) noexcept;
  Buffer(Buffer&& other) noexcept
      : box_{std::exchange(other.box_, nullptr)},
        data_{std::exchange(other.data_, nullptr)},
        size_{std::exchange(other.size_, 0)} {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(box_, other.box_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() {
    if (box_ != nullptr) drop();
  }

  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(data_), size_};
  }

  /// The bytes for writing. Where they are not this process's alone (lent by another process, lent to one, or shared
  /// with another handle) this handle first gets a copy of its own. Throws Exhausted.
  [[nodiscard]] std::span<std::byte> writable();

  /// A handle on `size` of these bytes from `offset` on, without a copy. Throws ArgumentError beyond the end.
  [[nodiscard]] Buffer slice(std::size_t offset, std::size_t size) const;

 private:
  friend struct detail::BufferBox;
  Buffer(detail::BufferBox* box, const std::byte* data, std::size_t size) noexcept
      : box_{box}, data_{data}, size_{size} {}
  void drop() noexcept;

  detail::BufferBox* box_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace weft
