#pragma once
// How each shape is written and read as FlexBuffers; schemas/README.md has the table.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <weft/detail/travel.hpp>
#include <weft/encoder.hpp>
#include <weft/value.hpp>

namespace weft::detail {

template <class T>
void encode_value(Encoder& encoder, const T& value);
template <class T>
T decode_value(const Value& value);

// Plain values as bytes.

[[noreturn, gnu::noinline, gnu::cold]] inline void fail_size(std::size_t expected, std::size_t found) {
  fail_encoding("expected " + std::to_string(expected) + " bytes, found " + std::to_string(found));
}

/// A bool has two values, its byte 256; reading another one is undefined. Looks through plain aggregates as well.
template <Plain T>
consteval bool has_bool() {
  if constexpr (kShape<T> == Shape::boolean) {
    return true;
  } else if constexpr (kShape<T> == Shape::array) {
    return has_bool<typename T::value_type>();
  } else if constexpr (kShape<T> == Shape::aggregate) {
    return []<std::size_t... Index>(std::index_sequence<Index...>) {
      return (has_bool<Field<T, Index>>() || ...);
    }
    (std::make_index_sequence<field_count<T>()>{});
  } else {
    return false;
  }
}

template <Plain T>
void check_bools(const T& value) {
  if constexpr (kShape<T> == Shape::boolean) {
    std::uint8_t byte = 0;
    std::memcpy(&byte, &value, 1);
    if (byte > 1) fail_encoding("a boolean is neither true nor false");
  } else if constexpr (kShape<T> == Shape::array) {
    for (const auto& element : value) check_bools(element);
  } else if constexpr (kShape<T> == Shape::aggregate) {
    [&]<std::size_t... Index>(std::index_sequence<Index...>) { (check_bools(field<Index>(value)), ...); }
    (std::make_index_sequence<field_count<T>()>{});
  }
}

/// The T whose bytes begin at `from`, wherever that is aligned. They may lie in memory that another process writes:
/// they are copied once, and the copy is looked at.
template <Plain T>
T load(const std::byte* from) {
  struct alignas(T) Bytes {
    std::byte bytes[sizeof(T)];
  } copy;
  std::memcpy(&copy, from, sizeof copy);
  if constexpr (has_bool<T>()) {
    asm volatile("" : "+m"(copy));
    check_bools(*std::launder(reinterpret_cast<const T*>(&copy)));
  }
  return std::bit_cast<T>(copy);
}

template <PlainRun T>
std::span<const std::byte> bytes_of_run(const T& run) noexcept {
  return std::as_bytes(std::span{run.data(), run.size()});
}

template <PlainRun T>
T load_run(std::span<const std::byte> bytes) {
  using Element = typename T::value_type;
  if (bytes.size() % sizeof(Element) != 0) [[unlikely]] {
    fail_encoding("expected elements of " + std::to_string(sizeof(Element)) + " bytes, found " +
                  std::to_string(bytes.size()) + " bytes in all");
  }
  T run;
  run.resize(bytes.size() / sizeof(Element));
  if (!bytes.empty()) std::memcpy(static_cast<void*>(run.data()), bytes.data(), bytes.size());
  if constexpr (has_bool<Element>()) {
    for (const Element& element : run) check_bools(element);
  }
  return run;
}

// Texts.

template <class T>
std::string_view view_text(const T& value) noexcept {
  if constexpr (std::same_as<T, std::filesystem::path>) {
    return value.native();
  } else if constexpr (std::is_pointer_v<T>) {
    return value == nullptr ? std::string_view{} : std::string_view{value};
  } else {
    return value;
  }
}

template <class T>
T text_from(std::string_view text) {
  if constexpr (std::same_as<T, std::filesystem::path>) {
    return std::filesystem::path{std::string{text}};
  } else {
    return T(text.data(), text.size());
  }
}

// Writing.

template <Shape shape, class T>
void encode_parts(Encoder& encoder, const T& value) {
  encoder.begin_vector();
  if constexpr (shape == Shape::optional) {
    if (value) encode_value(encoder, *value);
  } else if constexpr (shape == Shape::variant) {
    if (value.valueless_by_exception()) fail_encoding("a variant lost its value to an exception");
    encoder.unsigned_integer(value.index());
    std::visit([&](const auto& held) { encode_value(encoder, held); }, value);
  } else if constexpr (shape == Shape::tuple) {
    std::apply([&](const auto&... parts) { (encode_value(encoder, parts), ...); }, value);
  } else if constexpr (shape == Shape::map) {
    for (const auto& [key, mapped] : value) {
      encode_value(encoder, key);
      encode_value(encoder, mapped);
    }
  } else if constexpr (shape == Shape::aggregate) {
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (encode_value(encoder, field<Index>(value)), ...);
    }
    (std::make_index_sequence<field_count<T>()>{});
  } else {
    for (const auto& element : value) encode_value<typename T::value_type>(encoder, element);
  }
  encoder.end_vector();
}

template <class T>
void encode_with_user_codec(Encoder& encoder, const T& value) {
  const std::size_t before = encoder.count();
  Codec<T>::encode(encoder, value);
  if (encoder.count() != before + 1) fail_encoding("a codec must write exactly one value");
}

template <class T>
void encode_value(Encoder& encoder, const T& value) {
  constexpr Shape shape = kShape<T>;
  if constexpr (shape == Shape::user) {
    encode_with_user_codec(encoder, value);
  } else if constexpr (shape == Shape::buffer) {
    encoder.buffer(value);
  } else if constexpr (shape == Shape::nothing) {
    encoder.null();
  } else if constexpr (shape == Shape::boolean) {
    encoder.boolean(value);
  } else if constexpr (shape == Shape::integer && std::is_signed_v<T>) {
    encoder.integer(value);
  } else if constexpr (shape == Shape::integer) {
    encoder.unsigned_integer(value);
  } else if constexpr (shape == Shape::enumeration) {
    encode_value(encoder, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (shape == Shape::real) {
    encoder.real(value);
  } else if constexpr (std::same_as<T, std::string>) {
    encoder.text(value);
  } else if constexpr (shape == Shape::text || shape == Shape::text_view) {
    encoder.text(view_text(value));
  } else if constexpr (shape == Shape::byte_view) {
    encoder.blob(std::as_bytes(value));
  } else if constexpr (shape == Shape::duration) {
    encode_value(encoder, value.count());
  } else if constexpr (shape == Shape::time_point) {
    encode_value(encoder, value.time_since_epoch());
  } else if constexpr (PlainRun<T>) {
    encoder.blob(bytes_of_run(value));
  } else if constexpr (shape == Shape::opaque || (shape == Shape::array && Plain<T>)) {
    encoder.blob(std::as_bytes(std::span{&value, 1}));
  } else {
    encode_parts<shape>(encoder, value);
  }
}

// Reading.

template <std::integral T>
T decode_integer(const Value& value) {
  if constexpr (std::is_signed_v<T>) {
    const std::int64_t number = value.integer();
    if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max()) [[unlikely]] {
      fail_encoding("the number " + std::to_string(number) + " does not fit into " +
                    std::to_string(sizeof(T)) + " bytes");
    }
    return static_cast<T>(number);
  } else {
    const std::uint64_t number = value.unsigned_integer();
    if (number > std::uint64_t{std::numeric_limits<T>::max()}) [[unlikely]] {
      fail_encoding("the number " + std::to_string(number) + " does not fit into " +
                    std::to_string(sizeof(T)) + " bytes");
    }
    return static_cast<T>(number);
  }
}

template <std::floating_point T>
T decode_real(const Value& value) {
  const double number = value.real();
  // Infinities and NaN have a float of their own; what lies between and beyond has none.
  if (std::isfinite(number) && std::abs(number) > double{std::numeric_limits<T>::max()}) [[unlikely]] {
    fail_encoding("the number " + std::to_string(number) + " does not fit into " + std::to_string(sizeof(T)) +
                  " bytes");
  }
  return static_cast<T>(number);
}

template <class T>
T decode_variant(const Value& value) {
  value.expect_size(2);
  const std::uint64_t index = value[0].unsigned_integer();
  if (index >= std::variant_size_v<T>) fail_encoding("a variant has no alternative " + std::to_string(index));
  return [&]<std::size_t... Index>(std::index_sequence<Index...>)->T {
    using Decode = T (*)(const Value&);
    constexpr Decode kDecoders[] = {[](const Value& held) -> T {
      return T{std::in_place_index<Index>, decode_value<std::variant_alternative_t<Index, T>>(held)};
    }...};
    return kDecoders[index](value[1]);
  }
  (std::make_index_sequence<std::variant_size_v<T>>{});
}

/// The elements of a sequence, set or map; a map's are alternately key and value.
template <Shape shape, class T>
T decode_elements(const Value& value) {
  const std::size_t size = value.size();
  T result;
  if constexpr (requires { result.reserve(size); }) {
    // What the writer claims is believed only so far: its elements may be large here and nothing there.
    result.reserve(std::min<std::size_t>(size, 1 + 65536 / sizeof(typename T::value_type)));
  }
  if constexpr (shape == Shape::map) {
    if (size % 2 != 0) fail_encoding("a map has a key without a value");
    for (std::size_t i = 0; i < size; i += 2) {
      auto key = decode_value<typename T::key_type>(value[i]);
      result.emplace_hint(result.end(), std::move(key), decode_value<typename T::mapped_type>(value[i + 1]));
    }
  } else if constexpr (shape == Shape::set) {
    for (std::size_t i = 0; i < size; ++i)
      result.emplace_hint(result.end(), decode_value<typename T::value_type>(value[i]));
  } else {
    for (std::size_t i = 0; i < size; ++i) result.push_back(decode_value<typename T::value_type>(value[i]));
  }
  return result;
}

/// The parts of what has a fixed number of them, in their order.
template <Shape shape, class T>
T decode_parts(const Value& value) {
  if constexpr (shape == Shape::tuple) {
    return [&]<std::size_t... Index>(std::index_sequence<Index...>)->T {
      value.expect_size(sizeof...(Index));
      return T{decode_value<std::remove_cv_t<std::tuple_element_t<Index, T>>>(value[Index])...};
    }
    (std::make_index_sequence<std::tuple_size_v<T>>{});
  } else if constexpr (shape == Shape::array) {
    return [&]<std::size_t... Index>(std::index_sequence<Index...>)->T {
      value.expect_size(sizeof...(Index));
      return T{{decode_value<typename T::value_type>(value[Index])...}};
    }
    (std::make_index_sequence<std::tuple_size_v<T>>{});
  } else {
    return [&]<std::size_t... Index>(std::index_sequence<Index...>)->T {
      value.expect_size(sizeof...(Index));
      return T{decode_value<Field<T, Index>>(value[Index])...};
    }
    (std::make_index_sequence<field_count<T>()>{});
  }
}

template <class T>
T decode_optional(const Value& value) {
  if (value.size() == 0) return std::nullopt;
  value.expect_size(1);
  return T{std::in_place, decode_value<typename T::value_type>(value[0])};
}

template <class T>
T decode_blob(std::span<const std::byte> blob) {
  if (blob.size() != sizeof(T)) [[unlikely]]
    fail_size(sizeof(T), blob.size());
  return load<T>(blob.data());
}

template <class T>
T decode_value(const Value& value) {
  constexpr Shape shape = kShape<T>;
  if constexpr (shape == Shape::user) {
    return Codec<T>::decode(value);
  } else if constexpr (shape == Shape::buffer) {
    return value.buffer();
  } else if constexpr (shape == Shape::nothing) {
    value.null();
    return T{};
  } else if constexpr (shape == Shape::boolean) {
    return value.boolean();
  } else if constexpr (shape == Shape::integer) {
    return decode_integer<T>(value);
  } else if constexpr (shape == Shape::enumeration) {
    return static_cast<T>(decode_value<std::underlying_type_t<T>>(value));
  } else if constexpr (shape == Shape::real) {
    return decode_real<T>(value);
  } else if constexpr (shape == Shape::text || shape == Shape::text_view) {
    return text_from<T>(value.text());
  } else if constexpr (shape == Shape::byte_view) {
    const std::span<const std::byte> blob = value.blob();
    return T{reinterpret_cast<typename T::element_type*>(blob.data()), blob.size()};
  } else if constexpr (shape == Shape::duration) {
    return T{decode_value<typename T::rep>(value)};
  } else if constexpr (shape == Shape::time_point) {
    return T{decode_value<typename T::duration>(value)};
  } else if constexpr (shape == Shape::optional) {
    return decode_optional<T>(value);
  } else if constexpr (shape == Shape::variant) {
    return decode_variant<T>(value);
  } else if constexpr (PlainRun<T>) {
    return load_run<T>(value.blob());
  } else if constexpr (shape == Shape::opaque || (shape == Shape::array && Plain<T>)) {
    return decode_blob<T>(value.blob());
  } else if constexpr (shape == Shape::map || shape == Shape::set || shape == Shape::sequence) {
    return decode_elements<shape, T>(value);
  } else {
    return decode_parts<shape, T>(value);
  }
}

}  // namespace weft::detail
