#pragma once

#include <string_view>
#include <utility>
#include <weft/buffer.hpp>
#include <weft/codec.hpp>
#include <weft/export.hpp>

namespace weft {

/// An open file descriptor that travels between processes: as an argument, as a result, over a channel, inside other
/// values (64 in one task or value at the most). The other side gets one of its own for the same open file, as by
/// dup(2): position and status flags are shared. Copies within a process share the descriptor, like a std::shared_ptr.
///
/// What was submitted is held here until its task has ended, since it may have to begin elsewhere: the reader of a pipe
/// whose other end was sent sees its end only then.
///
/// Owner: all copies together; the last one closes it. Threads: different copies from any threads. Blocks: never.
/// Crash: what was on its way to a process that died is closed.
class WEFT_EXPORT Descriptor {
 public:
  /// None; travels as none.
  Descriptor() noexcept = default;
  /// Takes `descriptor` over, and makes it close at exec. Throws ArgumentError, and leaves it alone, if it is not open.
  explicit Descriptor(int descriptor);
  /// A new descriptor for what `descriptor` is open for, which stays the caller's. Throws ArgumentError if it is not open,
  /// Exhausted if there are none left.
  static Descriptor copy_of(int descriptor);

  Descriptor(const Descriptor&) noexcept = default;
  Descriptor(Descriptor&& other) noexcept
      : file_{std::move(other.file_)}, number_{std::exchange(other.number_, -1)} {}
  Descriptor& operator=(Descriptor other) noexcept {
    std::swap(file_, other.file_);
    std::swap(number_, other.number_);
    return *this;
  }

  /// Its number here, for as long as a copy lives; -1 if there is none. Not to be closed.
  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

 private:
  friend struct Codec<Descriptor>;
  Descriptor(Buffer file, int number) noexcept : file_{std::move(file)}, number_{number} {}
  /// What came along. Throws Exhausted if it came to a process that could hold no more, EncodingError if it is none.
  static Descriptor arrived(const Buffer& attachment);

  Buffer file_;  ///< without bytes: it owns the descriptor, and travels as buffers do
  int number_ = -1;
};

template <>
struct Codec<Descriptor> {
  static constexpr std::string_view schema = "descriptor";
  static void encode(Encoder& encoder, const Descriptor& descriptor) {
    encoder.unsigned_integer(encoder.attach(descriptor.file_));
  }
  static Descriptor decode(const Value& value) {
    return Descriptor::arrived(value.attachment(value.unsigned_integer()));
  }
};

}  // namespace weft
