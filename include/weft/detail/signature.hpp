#pragma once
// What a function takes and returns, as a text that is the same for every compiler: named tasks are known by their name
// and this.
//
//   bool i8..i64 u8..u64 f32 f64 str buffer ()    () is no value
//   T?  (A|B)  (A,B)  {A,B}                        optional, variant, tuple or pair, aggregate
//   [T]  [T;3]  [K:V]  [T:]                        sequence, array, map, set
//   duration<i64,1/1000> system_time<...>          chrono
//   bytes<16> ?                                    an opaque class; one with a codec that names no schema
//   ^1                                             the aggregate that this stands in; ^2 the one around that

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <weft/detail/travel.hpp>

namespace weft::detail {

/// Counts what is written; for the size of the array that takes it.
struct CountingSink {
  std::size_t size = 0;
  constexpr void put(std::string_view text) noexcept { size += text.size(); }
};

template <std::size_t Size>
struct ArraySink {
  std::array<char, Size + 1> text{};
  std::size_t size = 0;
  constexpr void put(std::string_view more) noexcept {
    for (const char c : more) text[size++] = c;
  }
};

template <class Sink>
constexpr void put_number(Sink& sink, std::uint64_t number) noexcept {
  if (number >= 10) put_number(sink, number / 10);
  const char digit = static_cast<char>('0' + number % 10);
  sink.put({&digit, 1});
}

template <class T, class... Seen, class Sink>
constexpr void put_type(Sink& sink, TypeList<Seen...> seen);

template <class... Types, class... Seen, class Sink>
constexpr void put_types(Sink& sink, [[maybe_unused]] std::string_view separator, TypeList<Types...>,
                         [[maybe_unused]] TypeList<Seen...> seen) {
  [[maybe_unused]] bool first = true;
  ((first ? void(first = false) : sink.put(separator), put_type<Types>(sink, seen)), ...);
}

template <class T, class Sink>
constexpr void put_chrono(Sink& sink) {
  if constexpr (kShape<T> == Shape::duration) {
    put_type<typename T::rep>(sink, TypeList<>{});
    sink.put(",");
    put_number(sink, static_cast<std::uint64_t>(T::period::num));
    sink.put("/");
    put_number(sink, static_cast<std::uint64_t>(T::period::den));
    sink.put(">");
  } else {
    put_chrono<typename T::duration>(sink);
  }
}

template <class T>
constexpr std::string_view chrono_name() {
  if constexpr (kShape<T> == Shape::duration) {
    return "duration<";
  } else if constexpr (std::is_same_v<typename T::clock, std::chrono::system_clock>) {
    return "system_time<";
  } else if constexpr (std::is_same_v<typename T::clock, std::chrono::steady_clock>) {
    return "steady_time<";
  } else {
    return "time<";
  }
}

/// How far out `T` stands among the aggregates that are being described, from 1; 0 if it does not.
template <class T, class... Seen>
constexpr std::size_t levels_up(TypeList<Seen...>) {
  std::size_t level = 0;
  std::size_t found = 0;
  ((++level, found = found == 0 && std::is_same_v<T, Seen> ? level : found), ...);
  return found;
}

template <class T, class... Seen, class Sink>
constexpr void put_container(Sink& sink, TypeList<Seen...> seen) {
  sink.put("[");
  if constexpr (kShape<T> == Shape::map) {
    put_types(sink, ":", TypeList<typename T::key_type, typename T::mapped_type>{}, seen);
  } else {
    put_type<typename T::value_type>(sink, seen);
    if constexpr (kShape<T> == Shape::set) sink.put(":");
    if constexpr (kShape<T> == Shape::array) {
      sink.put(";");
      put_number(sink, std::tuple_size_v<T>);
    }
  }
  sink.put("]");
}

template <class T, class... Seen, class Sink>
constexpr void put_group(Sink& sink, TypeList<Seen...> seen) {
  if constexpr (kShape<T> == Shape::aggregate) {
    sink.put("{");
    put_types(sink, ",", decltype(fields_of<T>(std::make_index_sequence<field_count<T>()>{})){},
              TypeList<T, Seen...>{});
    sink.put("}");
  } else {
    using Parts = decltype(arguments_of(std::declval<const T&>()));
    sink.put("(");
    put_types(sink, kShape<T> == Shape::variant ? "|" : ",", Parts{}, seen);
    sink.put(")");
  }
}

template <class T, class Sink>
constexpr void put_scalar(Sink& sink) {
  if constexpr (std::is_floating_point_v<T>) {
    sink.put("f");
  } else {
    sink.put(std::is_signed_v<T> ? "i" : "u");
  }
  put_number(sink, sizeof(T) * 8);
}

template <class T, class... Seen, class Sink>
constexpr void put_type(Sink& sink, TypeList<Seen...> seen) {
  constexpr Shape shape = kShape<T>;
  if constexpr (is_among<T, Seen...>) {
    sink.put("^");
    put_number(sink, levels_up<T>(seen));
  } else if constexpr (shape == Shape::user) {
    if constexpr (requires { std::string_view{Codec<T>::schema}; }) {
      sink.put(Codec<T>::schema);
    } else {
      sink.put("?");
    }
  } else if constexpr (shape == Shape::buffer) {
    sink.put("buffer");
  } else if constexpr (shape == Shape::nothing) {
    sink.put("()");
  } else if constexpr (shape == Shape::boolean) {
    sink.put("bool");
  } else if constexpr (shape == Shape::integer || shape == Shape::real) {
    put_scalar<T>(sink);
  } else if constexpr (shape == Shape::enumeration) {
    put_type<std::underlying_type_t<T>>(sink, seen);
  } else if constexpr (shape == Shape::text || shape == Shape::text_view) {
    sink.put("str");
  } else if constexpr (shape == Shape::byte_view) {
    sink.put("[");
    put_type<std::remove_cv_t<typename T::element_type>>(sink, seen);
    sink.put("]");
  } else if constexpr (shape == Shape::duration || shape == Shape::time_point) {
    sink.put(chrono_name<T>());
    put_chrono<T>(sink);
  } else if constexpr (shape == Shape::optional) {
    put_type<typename T::value_type>(sink, seen);
    sink.put("?");
  } else if constexpr (shape == Shape::variant || shape == Shape::tuple || shape == Shape::aggregate) {
    put_group<T>(sink, seen);
  } else if constexpr (shape == Shape::opaque) {
    sink.put("bytes<");
    put_number(sink, sizeof(T));
    sink.put(">");
  } else {
    put_container<T>(sink, seen);
  }
}

template <class Function>
struct SignatureOf;

template <class R, class... Args>
struct SignatureOf<R(Args...)> {
  template <class Sink>
  static constexpr void put(Sink& sink) {
    put_types(sink, ",", TypeList<std::remove_cvref_t<Args>...>{}, TypeList<>{});
    sink.put("->");
    if constexpr (std::is_void_v<R>) {
      sink.put("()");
    } else {
      put_type<std::remove_cvref_t<R>>(sink, TypeList<>{});
    }
  }
  static constexpr std::size_t size() {
    CountingSink sink;
    put(sink);
    return sink.size;
  }
  static constexpr auto make() {
    ArraySink<size()> sink;
    put(sink);
    return sink.text;
  }
  static constexpr auto kText = make();
};

/// "i32,str,[f64]->u64" for std::uint64_t(int, const std::string&, std::vector<double>).
template <class Function>
constexpr std::string_view signature() noexcept {
  constexpr const auto& kText = SignatureOf<Function>::kText;
  return {kText.data(), kText.size() - 1};
}

/// FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv
constexpr std::uint64_t hash_text(std::string_view text,
                                  std::uint64_t hash = 0xcbf2'9ce4'8422'2325) noexcept {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x0000'0100'0000'01b3;
  return hash;
}

template <class Function>
constexpr std::uint64_t signature_hash() noexcept {
  return hash_text(signature<Function>());
}

}  // namespace weft::detail
