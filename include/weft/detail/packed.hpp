#pragma once
// Arguments and results as the bytes of a frame, and back.

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <weft/buffer.hpp>
#include <weft/detail/transcode.hpp>
#include <weft/encoder.hpp>
#include <weft/value.hpp>

namespace weft::detail {

/// A payload as it is sent or as it came: `bytes` and `attachments` belong to somebody else.
struct Payload {
  Encoding encoding = Encoding::nothing;
  std::span<const std::byte> bytes;
  std::span<const Buffer> attachments;
};

/// A value without attachments that fits a frame of a few lines, copied out of its frame or call.
struct ShortValue {
  bool taken = false;
  Encoding encoding = Encoding::nothing;
  std::uint32_t bytes = 0;
  alignas(8) std::byte data[216];  // NOLINT: filled in when it is taken

  [[nodiscard]] Payload payload() const noexcept { return {encoding, {data, bytes}, {}}; }
};

/// Complains about a T that cannot travel, once, in words, and says whether it can, so that the caller goes no further.
template <Use use, class T>
consteval bool require_travel() {
  static_assert(
      !std::is_reference_v<T>,
      "weft: references do not travel between processes: take the parameter or return the result by value");
  static_assert(
      !std::is_pointer_v<T> || kShape<T> == Shape::text_view,
      "weft: pointers do not travel between processes: pass what it points at by value, or large data as a "
      "weft::Buffer");
  if constexpr (std::is_object_v<T> && (!std::is_pointer_v<T> || kShape<T> == Shape::text_view)) {
    constexpr bool travels = can_travel<use, T>(TypeList<>{});
    constexpr bool is_view = !travels && can_travel<Use::send, T>(TypeList<>{});
    static_assert(!is_view || use != Use::send_and_return,
                  "weft: a result cannot be a view (std::string_view, std::span, const char*), also inside "
                  "another value, since what it looks at is gone by then: return std::string, std::vector or "
                  "weft::Buffer");
    static_assert(
        !is_view || use != Use::take,
        "weft: a task cannot take const char* or a writable view: take std::string or std::string_view, or "
        "std::span<const std::byte>");
    static_assert(
        travels || is_view,
        "weft: this type cannot travel between processes: specialise weft::Codec<T> for it, or make it an "
        "aggregate of types that can (no pointers, references, base classes or C arrays beside strings and "
        "containers), or send what it stands for as a weft::Buffer");
    return travels;
  } else {
    return false;
  }
}

// What is known of the arguments at compile time.

template <class T>
concept TextLike = kShape<T>
== Shape::text || kShape<T> == Shape::text_view || kShape<T> == Shape::byte_view || PlainRun<T>;

/// Plain arguments beyond so many bytes are not worth a copy on the stack; a single one is sent from where it is.
inline constexpr std::size_t kPackedBytesMax = 1024;

/// Where each of some plain types lies when they are packed.
template <class... Args>
struct PackedLayout {
  static constexpr std::size_t kCount = sizeof...(Args);
  struct Places {
    std::array<std::size_t, kCount == 0 ? 1 : kCount> offset{};
    std::size_t bytes = 0;
    bool has_gaps = false;
  };
  static constexpr Places places() noexcept {
    constexpr std::array<std::size_t, kCount> kSizes{sizeof(Args)...};
    constexpr std::array<std::size_t, kCount> kAlignments{alignof(Args)...};
    Places places;
    for (std::size_t i = 0; i < kCount; ++i) {
      const std::size_t offset = (places.bytes + kAlignments[i] - 1) / kAlignments[i] * kAlignments[i];
      places.has_gaps = places.has_gaps || offset != places.bytes;
      places.offset[i] = offset;
      places.bytes = offset + kSizes[i];
    }
    return places;
  }
  static constexpr Places kPlaces = places();
};

template <class... Args>
consteval Encoding encoding_of() {
  if constexpr (sizeof...(Args) == 0) {
    return Encoding::nothing;
  } else if constexpr (sizeof...(Args) == 1 && (std::same_as<Args, Buffer> && ...)) {
    return Encoding::buffer;
  } else if constexpr (sizeof...(Args) == 1 && (is_made_from<Args, Message> && ...)) {
    return Encoding::message;
  } else if constexpr (sizeof...(Args) == 1 && (TextLike<Args> && ...)) {
    return Encoding::text;
  } else if constexpr ((Plain<Args> && ...)) {
    return sizeof...(Args) == 1 || PackedLayout<Args...>::kPlaces.bytes <= kPackedBytesMax ? Encoding::bytes
                                                                                           : Encoding::values;
  } else {
    return Encoding::values;
  }
}

// Packing.

template <Encoding encoding, class... Args>
class Packing;

template <>
class Packing<Encoding::nothing> {
 public:
  [[nodiscard]] Payload payload() const noexcept { return {}; }
};

template <class... Args>
class Packing<Encoding::bytes, Args...> {
  static constexpr auto kPlaces = PackedLayout<Args...>::kPlaces;

 public:
  explicit Packing(const Args&... args) noexcept {
    if constexpr (kPlaces.has_gaps) bytes_.fill(std::byte{0});
    std::size_t index = 0;
    (std::memcpy(bytes_.data() + kPlaces.offset[index++], std::addressof(args), sizeof(Args)), ...);
  }
  [[nodiscard]] Payload payload() const noexcept { return {Encoding::bytes, bytes_, {}}; }

 private:
  alignas(std::max({alignof(Args)...})) std::array<std::byte, kPlaces.bytes> bytes_;
};

template <class Arg>
requires(sizeof(Arg) > kPackedBytesMax) class Packing<Encoding::bytes, Arg> {
 public:
  explicit Packing(const Arg& arg) noexcept : arg_{std::addressof(arg)} {}
  [[nodiscard]] Payload payload() const noexcept {
    return {Encoding::bytes, std::as_bytes(std::span{arg_, 1}), {}};
  }

 private:
  const Arg* arg_;
};

template <class Arg>
class Packing<Encoding::text, Arg> {
 public:
  explicit Packing(const Arg& arg) noexcept {
    if constexpr (PlainRun<Arg>) {
      bytes_ = bytes_of_run(arg);
    } else if constexpr (kShape<Arg> == Shape::byte_view) {
      bytes_ = std::as_bytes(arg);
    } else {
      bytes_ = std::as_bytes(std::span{view_text(arg)});
    }
  }
  [[nodiscard]] Payload payload() const noexcept { return {Encoding::text, bytes_, {}}; }

 private:
  std::span<const std::byte> bytes_;
};

template <class... Args>
class Packing<Encoding::values, Args...> {
 public:
  explicit Packing(const Args&... args) {
    encoder_->begin_vector();
    (encode_value(*encoder_, args), ...);
    encoder_->end_vector();
    bytes_ = encoder_->finish();
  }
  [[nodiscard]] Payload payload() const noexcept {
    return {Encoding::values, bytes_, encoder_->attachments()};
  }

 private:
  EncoderLease encoder_;
  std::span<const std::byte> bytes_;
};

template <>
class Packing<Encoding::buffer, Buffer> {
 public:
  explicit Packing(const Buffer& buffer) noexcept : buffer_{&buffer} {}
  [[nodiscard]] Payload payload() const noexcept { return {Encoding::buffer, {}, {buffer_, 1}}; }

 private:
  const Buffer* buffer_;
};

template <class Table>
class Packing<Encoding::message, Message<Table>> {
 public:
  explicit Packing(const Message<Table>& message) : buffer_{&message.buffer()} {
    if (buffer_->empty()) [[unlikely]]
      fail_encoding("a message was moved away before it was sent");
  }
  [[nodiscard]] Payload payload() const noexcept { return {Encoding::message, {}, {buffer_, 1}}; }

 private:
  const Buffer* buffer_;
};

/// Where require_travel() has complained: no second message follows.
class Refused {
 public:
  explicit Refused(const auto&...) noexcept {}
  [[nodiscard]] Payload payload() const noexcept { return {}; }
};

template <class... Args>
consteval auto packing_for() {
  if constexpr ((require_travel<Use::send, Args>() && ...)) {
    return std::type_identity<Packing<encoding_of<Args...>(), Args...>>{};
  } else {
    return std::type_identity<Refused>{};
  }
}

template <class... Args>
using PackingFor = typename decltype(packing_for<Args...>())::type;

/// The payload of some arguments, or of one result. It lives as long as the Packed and the arguments do, and nothing
/// is copied that need not be. May throw EncodingError where a value has to be encoded. Not to be moved.
template <class... Args>
class Packed : public PackingFor<Args...> {
 public:
  explicit Packed(const Args&... args) : PackingFor<Args...>{args...} {}
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;
};

// Unpacking.

[[noreturn, gnu::noinline, gnu::cold]] inline void fail_mismatch(Encoding expected, Encoding found) {
  fail_encoding("expected " + std::string{name_of(expected)} + ", found " + std::string{name_of(found)});
}

template <class... Args, std::size_t... Index>
std::tuple<Args...> unpack_bytes(std::span<const std::byte> bytes, std::index_sequence<Index...>) {
  constexpr auto kPlaces = PackedLayout<Args...>::kPlaces;
  if (bytes.size() != kPlaces.bytes) [[unlikely]]
    fail_size(kPlaces.bytes, bytes.size());
  return std::tuple<Args...>{load<Args>(bytes.data() + kPlaces.offset[Index])...};
}

template <class Arg>
Arg unpack_text(std::span<const std::byte> bytes) {
  if constexpr (PlainRun<Arg>) {
    return load_run<Arg>(bytes);
  } else if constexpr (kShape<Arg> == Shape::byte_view) {
    return Arg{reinterpret_cast<typename Arg::element_type*>(bytes.data()), bytes.size()};
  } else {
    return text_from<Arg>({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
}

template <class... Args, std::size_t... Index>
std::tuple<Args...> unpack_values(const Payload& payload, std::index_sequence<Index...>) {
  Document document{payload.bytes, payload.attachments};
  const Value values = document.root();
  values.expect_size(sizeof...(Args));
  return std::tuple<Args...>{decode_value<Args>(values[Index])...};
}

/// The values of a payload that a Packed<Args...> made, maybe in another process. Views among them look into the
/// payload. Throws EncodingError for every payload that no Packed<Args...> could have made.
template <class... Args>
std::tuple<Args...> unpack(const Payload& payload) {
  if constexpr ((require_travel<Use::take, Args>() && ...)) {
    constexpr Encoding kEncoding = encoding_of<Args...>();
    if (payload.encoding != kEncoding) [[unlikely]]
      fail_mismatch(kEncoding, payload.encoding);
    if constexpr (kEncoding == Encoding::nothing) {
      if (!payload.bytes.empty()) [[unlikely]]
        fail_size(0, payload.bytes.size());
      return {};
    } else if constexpr (kEncoding == Encoding::bytes) {
      return unpack_bytes<Args...>(payload.bytes, std::index_sequence_for<Args...>{});
    } else if constexpr (kEncoding == Encoding::text) {
      return std::tuple<Args...>{unpack_text<Args>(payload.bytes)...};
    } else if constexpr (kEncoding == Encoding::buffer) {
      if (payload.attachments.size() != 1) [[unlikely]]
        fail_encoding("expected one buffer, found none or several");
      return {payload.attachments.front()};
    } else if constexpr (kEncoding == Encoding::message) {
      if (payload.attachments.size() != 1 || !payload.bytes.empty()) [[unlikely]]
        fail_encoding("expected one message, found something else");
      return std::tuple<Args...>{Args{payload.attachments.front()}...};
    } else {
      return unpack_values<Args...>(payload, std::index_sequence_for<Args...>{});
    }
  } else {
    __builtin_unreachable();
  }
}

/// To be asserted where a task's result type is known: does not compile if it cannot be a result, as a view cannot.
/// True, so that the assertion adds nothing to what the compiler says then.
template <class R>
consteval bool require_result() {
  if constexpr (!std::is_void_v<R>) static_cast<void>(require_travel<Use::send_and_return, R>());
  return true;
}

}  // namespace weft::detail
