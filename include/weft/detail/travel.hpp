#pragma once
// What each type is to the codec. Everything here is decided at compile time.

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <variant>
#include <weft/buffer.hpp>
#include <weft/detail/reflect.hpp>

namespace weft {

template <class T>
struct Codec;
template <class Table>
class Message;

namespace detail {

/// The base of Codec<T> where nobody has specialised it.
struct DefaultCodec {};

template <class T>
concept UserCodec = std::is_object_v<T> && !std::is_array_v<T> && !std::is_base_of_v<DefaultCodec, Codec<T>>;

enum class Shape : std::uint8_t {
  unsupported,
  user,         ///< weft::Codec<T> is specialised
  buffer,       ///< weft::Buffer
  nothing,      ///< std::monostate
  boolean,      //
  integer,      ///< and all character types
  enumeration,  //
  real,         ///< float, double
  text,         ///< std::string, std::filesystem::path
  text_view,    ///< std::string_view, const char*: can be sent; string_view can be received as an argument
  byte_view,    ///< std::span<const std::byte>, the same
  duration,     //
  time_point,   //
  optional,     //
  variant,      //
  tuple,        ///< and std::pair
  map,          ///< any container with a mapped_type
  set,          ///< any other container with a key_type
  array,        ///< std::array
  sequence,     ///< any container that can be filled by push_back
  aggregate,    ///< its fields, by Boost.PFR
  opaque,       ///< any other trivially copyable class: its bytes
};

template <class T, template <class...> class Template>
inline constexpr bool is_made_from = false;
template <template <class...> class Template, class... Args>
inline constexpr bool is_made_from<Template<Args...>, Template> = true;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t Size>
inline constexpr bool is_std_array<std::array<T, Size>> = true;

template <class T>
inline constexpr bool is_char_string = false;
template <class Traits, class Allocator>
inline constexpr bool is_char_string<std::basic_string<char, Traits, Allocator>> = true;

template <class T>
concept ByteLike = std::same_as<T, std::byte> || std::same_as<T, char> || std::same_as<T, unsigned char>;

template <class T>
inline constexpr bool is_byte_span = false;
template <ByteLike T, std::size_t Extent>
inline constexpr bool is_byte_span<std::span<const T, Extent>> = Extent == std::dynamic_extent;
template <ByteLike T, std::size_t Extent>
inline constexpr bool is_byte_span<std::span<T, Extent>> = Extent == std::dynamic_extent;

template <class T>
concept Container =
    std::ranges::input_range<T> && !std::ranges::view<T> && std::default_initializable<T> && requires {
  typename T::value_type;
};

template <class T>
concept Keyed = Container<T> && requires {
  typename T::key_type;
};

template <class T>
concept Sequence = Container<T> && requires(T& to, typename T::value_type value) {
  to.push_back(std::move(value));
};

/// Classes that are copied byte by byte and yet name something in this process alone.
template <class T>
concept Handle =
    std::ranges::view<T> || std::input_or_output_iterator<T> || is_made_from<T, std::reference_wrapper> ||
    is_made_from<T, std::initializer_list> || std::same_as<T, std::error_code> ||
    std::same_as<T, std::error_condition> || std::same_as<T, std::type_index>;

template <class T>
concept OpaqueClass = (std::is_class_v<T> ||
                       std::is_union_v<T>)&&std::is_trivially_copyable_v<T>&& std::move_constructible<T> &&
                      !Handle<T>;

template <class T>
consteval Shape shape_of_class() {
  if constexpr (is_char_string<T> || std::same_as<T, std::filesystem::path>) {
    return Shape::text;
  } else if constexpr (is_made_from<T, std::basic_string_view>) {
    return std::same_as<typename T::value_type, char> ? Shape::text_view : Shape::unsupported;
  } else if constexpr (is_byte_span<T>) {
    return Shape::byte_view;
  } else if constexpr (is_made_from<T, std::chrono::duration>) {
    return Shape::duration;
  } else if constexpr (is_made_from<T, std::chrono::time_point>) {
    return Shape::time_point;
  } else if constexpr (is_made_from<T, std::optional>) {
    return Shape::optional;
  } else if constexpr (is_made_from<T, std::variant>) {
    return Shape::variant;
  } else if constexpr (is_made_from<T, std::tuple> || is_made_from<T, std::pair>) {
    return Shape::tuple;
  } else if constexpr (is_std_array<T>) {
    return Shape::array;
  } else if constexpr (Keyed<T>) {
    return requires { typename T::mapped_type; }
    ? Shape::map : Shape::set;
  } else if constexpr (Sequence<T>) {
    return Shape::sequence;
  } else if constexpr (Handle<T>) {
    return Shape::unsupported;
  } else if constexpr (Reflectable<T>) {
    return Shape::aggregate;
  } else {
    return OpaqueClass<T> ? Shape::opaque : Shape::unsupported;
  }
}

template <class T>
consteval Shape shape_of() {
  if constexpr (UserCodec<T>) {
    return Shape::user;
  } else if constexpr (std::same_as<T, Buffer>) {
    return Shape::buffer;
  } else if constexpr (std::same_as<T, std::monostate>) {
    return Shape::nothing;
  } else if constexpr (std::same_as<T, bool>) {
    return Shape::boolean;
  } else if constexpr (std::integral<T>) {
    return Shape::integer;
  } else if constexpr (std::is_enum_v<T>) {
    return Shape::enumeration;
  } else if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    return Shape::real;
  } else if constexpr (std::same_as<T, const char*> || std::same_as<T, char*>) {
    return Shape::text_view;
  } else if constexpr (std::is_class_v<T>) {
    return shape_of_class<T>();
  } else {
    return OpaqueClass<T> || std::is_floating_point_v<T> ? Shape::opaque : Shape::unsupported;
  }
}

template <class T>
inline constexpr Shape kShape = shape_of<std::remove_cv_t<T>>();

template <class T, std::size_t... Index>
consteval bool are_fields_plain(std::index_sequence<Index...>);

/// Plain values travel as their own bytes: trivially copyable, and as far as can be seen without pointers.
template <class T>
consteval bool is_plain() {
  constexpr Shape shape = kShape<T>;
  if constexpr (!std::is_trivially_copyable_v<T>) {
    return false;
  } else if constexpr (shape == Shape::boolean || shape == Shape::integer || shape == Shape::enumeration ||
                       shape == Shape::real || shape == Shape::opaque) {
    return true;
  } else if constexpr (shape == Shape::duration || shape == Shape::time_point) {
    return is_plain<typename T::rep>();
  } else if constexpr (shape == Shape::array) {
    return is_plain<typename T::value_type>();
  } else if constexpr (shape == Shape::aggregate) {
    return are_fields_plain<T>(std::make_index_sequence<field_count<T>()>{});
  } else {
    return false;
  }
}

template <class T, std::size_t... Index>
consteval bool are_fields_plain(std::index_sequence<Index...>) {
  return (is_plain<Field<T, Index>>() && ...);
}

template <class T>
concept Plain = is_plain<T>();

/// A container whose elements are plain and lie side by side: travels as their bytes.
template <class T>
concept PlainRun = kShape<T>
== Shape::sequence&& std::ranges::contiguous_range<T>&& Plain<typename T::value_type>&&
        std::default_initializable<typename T::value_type>&& requires(T& to, std::size_t size) {
  to.resize(size);
};

// Whether a value can travel with all that is in it.

enum class Use : std::uint8_t {
  send,  ///< as an argument, where it is given
  take,  ///< as an argument, where it is received: views look into the payload, which outlives the call
  send_and_return,  ///< as a result: no views, since the payload is gone before they are looked at
};

template <class... Types>
struct TypeList {};

template <class T, class... Seen>
inline constexpr bool is_among = (std::same_as<T, Seen> || ...);

/// `Seen` are the types that this one lies in: a type that contains itself, through a vector for instance, can travel
/// if the rest of it can.
template <Use use, class T, class... Seen>
consteval bool can_travel(TypeList<Seen...> seen);

template <Use use, class T, class... Parts, class... Seen>
consteval bool can_all_travel(TypeList<Parts...>, TypeList<Seen...>) {
  return (can_travel<use, Parts>(TypeList<T, Seen...>{}) && ...);
}

template <class T, std::size_t... Index>
auto fields_of(std::index_sequence<Index...>) -> TypeList<Field<T, Index>...>;

template <template <class...> class Template, class... Args>
auto arguments_of(const Template<Args...>&) -> TypeList<std::remove_cv_t<Args>...>;

template <Use use, class T, class... Seen>
consteval bool can_travel(TypeList<Seen...> seen) {
  constexpr Shape shape = std::is_object_v<T> ? kShape<T> : Shape::unsupported;
  if constexpr (is_among<T, Seen...>) {
    return true;
  } else if constexpr (shape == Shape::unsupported) {
    return false;
  } else if constexpr (shape == Shape::text_view) {
    return use == Use::send || (use == Use::take && !std::is_pointer_v<T>);
  } else if constexpr (shape == Shape::byte_view) {
    return use == Use::send || (use == Use::take && std::is_const_v<typename T::element_type>);
  } else if constexpr (shape == Shape::duration || shape == Shape::time_point) {
    return can_travel<use, typename T::rep>(seen);
  } else if constexpr (shape == Shape::optional || shape == Shape::variant || shape == Shape::tuple) {
    return can_all_travel<use, T>(decltype(arguments_of(std::declval<const T&>())){}, seen);
  } else if constexpr (shape == Shape::map) {
    return can_all_travel<use, T>(TypeList<typename T::key_type, typename T::mapped_type>{}, seen);
  } else if constexpr (shape == Shape::set || shape == Shape::array || shape == Shape::sequence) {
    return can_all_travel<use, T>(TypeList<typename T::value_type>{}, seen);
  } else if constexpr (shape == Shape::aggregate) {
    return can_all_travel<use, T>(decltype(fields_of<T>(std::make_index_sequence<field_count<T>()>{})){},
                                  seen);
  } else {
    return true;
  }
}

}  // namespace detail
}  // namespace weft
