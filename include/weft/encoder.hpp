#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <weft/buffer.hpp>
#include <weft/error.hpp>
#include <weft/export.hpp>

namespace weft {

/// What the bytes of a payload are. Part of the wire: schemas/README.md gives each byte by byte.
enum class Encoding : std::uint8_t {
  nothing = 0,  ///< no bytes: no arguments, or void
  bytes = 1,    ///< trivially copyable values one after another, each at its natural alignment
  text = 2,     ///< one string, or the elements of one contiguous container, as they are
  values = 3,   ///< a FlexBuffers vector with one element an argument
  buffer = 4,   ///< no bytes: the value is attachment 0
  message = 5,  ///< no bytes: attachment 0 is a FlatBuffers root
};

/// "text", "values"; for messages.
WEFT_EXPORT std::string_view name_of(Encoding encoding) noexcept;

namespace detail {

/// Vectors nested deeper than this are neither written nor read: a reader recurses, and its stack is finite.
inline constexpr unsigned kNestingMax = 64;

/// Out of line, so that what never happens takes no room where it does not.
[[noreturn, gnu::noinline, gnu::cold]] inline void fail_encoding(const std::string& message) {
  throw EncodingError{"weft: " + message};
}

}  // namespace detail

/// Writes values as FlexBuffers. A weft::Codec<T> writes exactly one value with it: a scalar, a text, or a vector of
/// values between begin_vector() and end_vector(). Use weft::encode(encoder, x) for parts that have a codec themselves.
///
/// Threads: one at a time. Blocks: never. Every function may throw EncodingError, and std::bad_alloc.
class WEFT_EXPORT Encoder {
 public:
  Encoder();
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  void null();
  void boolean(bool value);
  void integer(std::int64_t value);
  void unsigned_integer(std::uint64_t value);
  void real(double value);
  /// Any bytes; UTF-8 is not asked for. A view is copied once more than what is known to end in a zero.
  void text(const std::string& value) { terminated_text(value.c_str(), value.size()); }
  void text(const char* value) { terminated_text(value, std::string_view{value}.size()); }
  void text(std::string_view value);
  void blob(std::span<const std::byte> value);
  /// The values up to the matching end_vector() are its elements; at most 64 vectors deep.
  void begin_vector();
  void end_vector();
  /// The buffer goes along without a copy; Value::buffer() gives it back.
  void buffer(const Buffer& value);
  /// Sends a buffer along, and gives the index by which the reader finds it, without writing a value.
  std::uint64_t attach(const Buffer& value);

  /// Values written so far where the next one would go: in the innermost open vector, or at the top.
  [[nodiscard]] std::size_t count() const noexcept;
  /// Ends the one value at the top; the bytes are valid until clear() or the destructor.
  [[nodiscard]] std::span<const std::byte> finish();
  [[nodiscard]] std::span<const Buffer> attachments() const noexcept;
  /// Forgets everything but keeps the memory, as long as it is not much (1 MiB).
  void clear() noexcept;

 private:
  void terminated_text(const char* value, std::size_t size);

  struct State;
  std::unique_ptr<State> state_;
};

namespace detail {

/// An Encoder of this thread for as long as the lease lives. Leases nest in any order, since an encoder may need another
/// (a codec that submits a task), and fibers take turns. No allocation once the thread has had as many at a time.
class WEFT_EXPORT EncoderLease {
 public:
  EncoderLease();
  ~EncoderLease();
  EncoderLease(const EncoderLease&) = delete;
  EncoderLease& operator=(const EncoderLease&) = delete;
  [[nodiscard]] Encoder& operator*() const noexcept { return *encoder_; }
  [[nodiscard]] Encoder* operator->() const noexcept { return encoder_; }

 private:
  Encoder* encoder_;
};

}  // namespace detail
}  // namespace weft
