#pragma once

#include <boost/pfr/core.hpp>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace weft::detail {

// The fields of aggregates, by Boost.PFR, and whether it can tell them: what it cannot is a hard error inside it, so
// it is found out here first. Bit-fields cannot be found out.

/// Converts to whatever a field is initialised with.
struct AnyField {
  template <class T>
  operator T() const;  // NOLINT(google-explicit-constructor)
};

/// Converts to proper bases of T alone.
template <class T>
struct AnyBase {
  template <class U>
  requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>) operator U()
      const;  // NOLINT(google-explicit-constructor)
};

template <std::size_t>
using AnyFieldAt = AnyField;

/// An aggregate whose first initialiser is for a base class.
template <class T>
concept HasBase = requires {
  T{AnyBase<T>{}};
};

/// Is the subobject that initialiser `Before` begins an array? `{}` initialises all of an array, so that fewer
/// initialisers remain for what comes after than without the braces.
template <class T, std::size_t... Before, std::size_t... After>
consteval bool array_begins_at(std::index_sequence<Before...>, std::index_sequence<After...>) {
  constexpr bool one_value = requires { T{AnyFieldAt<Before>{}..., {}, AnyFieldAt<After>{}...}; };
  if constexpr (one_value) {
    return false;
  } else {
    return requires { T{AnyFieldAt<Before>{}..., {}}; };
  }
}

/// C arrays are told apart by the braces that they leave out, which PFR counts as fields.
template <class T, std::size_t... Index>
consteval bool has_array(std::index_sequence<Index...>) {
  return (array_begins_at<T>(std::make_index_sequence<Index>{},
                             std::make_index_sequence<sizeof...(Index) - 1 - Index>{}) ||
          ...);
}

/// An array of one looks like a field.
template <class T, std::size_t... Index>
consteval bool has_array_field(std::index_sequence<Index...>) {
  return (std::is_array_v<boost::pfr::tuple_element_t<Index, T>> || ...);
}

template <class T>
consteval bool is_reflectable() {
  if constexpr (!std::is_class_v<T> || !std::is_aggregate_v<T> || std::is_polymorphic_v<T>) {
    return false;
  } else if constexpr (std::is_empty_v<T>) {
    return true;
  } else if constexpr (HasBase<T>) {
    return false;
  } else {
    constexpr auto kFields = std::make_index_sequence<boost::pfr::tuple_size_v<T>>{};
    if constexpr (has_array<T>(kFields)) {
      return false;
    } else {
      return !has_array_field<T>(kFields);
    }
  }
}

template <class T>
concept Reflectable = is_reflectable<T>();

template <Reflectable T>
consteval std::size_t field_count() {
  if constexpr (std::is_empty_v<T>) {
    return 0;
  } else {
    return boost::pfr::tuple_size_v<T>;
  }
}

template <Reflectable T, std::size_t Index>
using Field = std::remove_cv_t<boost::pfr::tuple_element_t<Index, T>>;

template <std::size_t Index, Reflectable T>
constexpr const Field<T, Index>& field(const T& value) noexcept {
  return boost::pfr::get<Index>(value);
}

}  // namespace weft::detail
