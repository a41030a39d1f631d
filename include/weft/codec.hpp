#pragma once

#include <concepts>
#include <type_traits>
#include <weft/detail/packed.hpp>
#include <weft/detail/signature.hpp>
#include <weft/detail/transcode.hpp>
#include <weft/detail/travel.hpp>
#include <weft/encoder.hpp>
#include <weft/value.hpp>

namespace weft {

/// How a T travels between processes. What is here serves
/// - bool, numbers, characters, enums, std::chrono durations and time points, std::string, std::filesystem::path,
/// - std::optional, variant, pair, tuple, array, monostate, and containers (vector, list, deque, map, set, unordered
///   ones; any with push_back or with a key_type) of such,
/// - aggregates whose fields are such (by Boost.PFR: at most what structured bindings take, no bit-fields),
/// - classes that are trivially copyable, by their bytes,
/// - weft::Buffer, without a copy.
/// For any other type of your own specialise it:
///
///   template <>
///   struct weft::Codec<Money> {
///     static constexpr std::string_view schema = "money";  // optional: its name in the signatures of named tasks
///     static void encode(weft::Encoder& encoder, const Money& money) { encoder.integer(money.cents()); }
///     static Money decode(const weft::Value& value) { return Money::from_cents(value.integer()); }
///   };
///
/// encode() writes exactly one value (a vector if there are several parts), decode() reads it; both may throw.
template <class T>
struct Codec : detail::DefaultCodec {
  static void encode(Encoder& encoder, const T& value) { detail::encode_value(encoder, value); }
  static T decode(const Value& value) { return detail::decode_value<T>(value); }
};

/// A T can be an argument, and a result.
template <class T>
concept Encodable = std::same_as<T, std::remove_cvref_t<T>> &&
    detail::can_travel<detail::Use::send_and_return, T>(detail::TypeList<>{});

/// Writes one value; for the parts of a type with a codec of its own.
template <class T>
void encode(Encoder& encoder, const T& value) {
  if constexpr (detail::require_travel<detail::Use::send, T>()) detail::encode_value(encoder, value);
}

/// Reads what encode() wrote. Throws EncodingError for everything else.
template <class T>
[[nodiscard]] T decode(const Value& value) {
  if constexpr (detail::require_travel<detail::Use::take, T>()) {
    return detail::decode_value<T>(value);
  } else {
    __builtin_unreachable();
  }
}

}  // namespace weft
