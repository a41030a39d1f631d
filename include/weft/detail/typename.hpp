#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace weft::detail {

// Names for people: the compiler's own spelling, cut out of __PRETTY_FUNCTION__. Not stable between compilers, so
// nothing is looked up by it.

/// What stands between "X = " and the end or the next ';' of GCC's or Clang's __PRETTY_FUNCTION__.
consteval std::string_view pretty_part(std::string_view pretty) {
  const std::size_t begin = pretty.find("X = ") + 4;
  std::size_t end = pretty.find(';', begin);
  if (end == std::string_view::npos) end = pretty.rfind(']');
  return pretty.substr(begin, end - begin);
}

template <std::size_t Size>
consteval std::array<char, Size + 1> terminated(std::string_view text) {
  std::array<char, Size + 1> copy{};
  for (std::size_t i = 0; i < Size; ++i) copy[i] = text[i];
  return copy;
}

template <class X>
const char* type_name() {
  static constexpr std::string_view kText = pretty_part(__PRETTY_FUNCTION__);
  static constexpr auto kName = terminated<kText.size()>(kText);
  return kName.data();
}

template <auto X>
const char* value_name() {
  static constexpr std::string_view kText = pretty_part(__PRETTY_FUNCTION__);
  static constexpr auto kName = terminated<kText.size()>(kText);
  return kName.data();
}

}  // namespace weft::detail
