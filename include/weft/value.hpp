#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <weft/encoder.hpp>

namespace weft {

namespace detail {
class Document;
}

/// One value that another process wrote, for a weft::Codec<T> to read. Nothing about it is trusted: that it lies inside
/// its payload was checked before this object existed, that it is of the type asked for is checked at each access, and
/// what does not hold is an EncodingError that names what was expected and what is there.
///
/// Owner: a view; the payload outlives it. Threads: one at a time for all values of a payload. Blocks: never.
/// Crash: the writer may still change the bytes, or die; sizes and places were read once, so only contents can change.
class WEFT_EXPORT Value {
 public:
  enum class Type : std::uint8_t { null, boolean, integer, unsigned_integer, real, text, blob, vector };

  [[nodiscard]] Type type() const noexcept { return type_; }
  /// Throws unless it is null.
  void null() const;
  [[nodiscard]] bool boolean() const;
  /// Of either signedness, as long as the number fits.
  [[nodiscard]] std::int64_t integer() const;
  [[nodiscard]] std::uint64_t unsigned_integer() const;
  [[nodiscard]] double real() const;
  /// The bytes in place, not copied.
  [[nodiscard]] std::string_view text() const;
  [[nodiscard]] std::span<const std::byte> blob() const;
  /// Elements of a vector.
  [[nodiscard]] std::size_t size() const;
  /// Throws unless it is a vector of exactly `count` elements.
  void expect_size(std::size_t count) const;
  /// Reading everything a dozen times over is fine. Beyond that it is refused, since parts that stand in many places
  /// can make few bytes into no end of values.
  [[nodiscard]] Value operator[](std::size_t index) const;
  /// What Encoder::buffer() wrote.
  [[nodiscard]] const Buffer& buffer() const;
  /// What Encoder::attach() gave `index` for.
  [[nodiscard]] const Buffer& attachment(std::uint64_t index) const;

 private:
  friend class detail::Document;
  Value(detail::Document* document, std::uint64_t at, std::uint64_t count, std::uint8_t width, Type type,
        std::uint8_t depth) noexcept
      : document_{document}, at_{at}, count_{count}, width_{width}, type_{type}, depth_{depth} {}
  void expect(Type type) const;

  detail::Document* document_;
  std::uint64_t at_;     // of a scalar itself, else of the first byte or element, which follow their count
  std::uint64_t count_;  // bytes of text and blob, elements of a vector
  std::uint8_t width_;   // bytes of a scalar, or of each element
  Type type_;
  std::uint8_t depth_;  // vectors around it
};

/// "text", "a vector"; for messages.
WEFT_EXPORT std::string_view name_of(Value::Type type) noexcept;

namespace detail {

/// The bytes of an Encoding::values payload, and the reader of the FlexBuffers format: of what Encoder writes, no more.
/// flexbuffers::VerifyBuffer is not enough here: it has let keys without an end pass, cannot say no to parts that stand
/// in many places, and speaks of bytes that nobody changes afterwards.
class WEFT_EXPORT Document {
 public:
  Document(std::span<const std::byte> bytes, std::span<const Buffer> attachments) noexcept
      : bytes_{bytes}, attachments_{attachments}, budget_{bytes.size() * 16} {}

  /// Throws EncodingError.
  [[nodiscard]] Value root();

 private:
  friend class weft::Value;
  [[nodiscard]] std::uint64_t read(std::uint64_t at, std::uint8_t width) const noexcept;
  [[nodiscard]] Value at(std::uint64_t place, std::uint8_t width, std::uint8_t packed_type,
                         std::uint8_t depth);
  [[nodiscard]] Value behind(std::uint64_t place, std::uint8_t width, std::uint8_t packed_type,
                             std::uint8_t depth);

  std::span<const std::byte> bytes_;
  std::span<const Buffer> attachments_;
  std::uint64_t budget_;
};

}  // namespace detail
}  // namespace weft
