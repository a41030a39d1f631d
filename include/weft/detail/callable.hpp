#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <weft/task_scope.hpp>

namespace flatbuffers {
class Table;
}

namespace weft {
template <class Table>
class Message;
}

namespace weft::detail {

template <class... Types>
struct Parameters {};

/// The parameters of a call, without a leading TaskScope&.
template <class... Args>
struct WithoutScope {
  using type = Parameters<Args...>;
};
template <class... Args>
struct WithoutScope<TaskScope&, Args...> {
  using type = Parameters<Args...>;
};

/// A struct that flatc generated for a table.
template <class T>
concept GeneratedTable = std::is_class_v<T> && std::is_base_of_v<flatbuffers::Table, T>;

/// How a parameter is kept between being decoded and being passed: by value; a table by the message that it lies in.
template <class Parameter>
struct KeptAs {
  using type = std::remove_cvref_t<Parameter>;
};
template <GeneratedTable Table>
struct KeptAs<const Table&> {
  using type = Message<Table>;
};
template <class Parameter>
using Kept = typename KeptAs<Parameter>::type;

template <class Function>
struct CallableTraits;
template <class R, class... Args>
struct CallableTraits<R (*)(Args...)> {
  using Result = R;
  using Arguments = typename WithoutScope<Args...>::type;
};
template <class R, class... Args>
struct CallableTraits<R (*)(Args...) noexcept> : CallableTraits<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct CallableTraits<R (C::*)(Args...) const> : CallableTraits<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct CallableTraits<R (C::*)(Args...) const noexcept> : CallableTraits<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct CallableTraits<R (C::*)(Args...)> : CallableTraits<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct CallableTraits<R (C::*)(Args...) noexcept> : CallableTraits<R (*)(Args...)> {};

template <class T>
inline constexpr bool is_view = false;
template <class C, class Traits>
inline constexpr bool is_view<std::basic_string_view<C, Traits>> = true;
template <class T, std::size_t Extent>
inline constexpr bool is_view<std::span<T, Extent>> = true;

template <std::size_t Size>
struct ObjectBytes {
  unsigned char bytes[Size];
};

/// True if no member of the class T, at any depth, is a pointer, a reference or a union: std::bit_cast is a constant
/// expression for just those types ([bit.cast]/3).
template <class T>
concept FreeOfPointers = std::is_trivially_copyable_v<T> && requires {
  typename std::integral_constant<int,
                                  (static_cast<void>(__builtin_bit_cast(T, ObjectBytes<sizeof(T)>{})), 0)>;
};

/// What a lambda is sent as.
template <class Lambda>
using LambdaBytes = std::array<std::byte, sizeof(Lambda)>;

struct Nothing {};

/// A function object out of its bytes. A closure type cannot be default-constructed, but a trivially copyable object
/// begins to live in storage that its bytes were copied to ([basic.types]/3).
template <class Lambda>
class RevivedObject {
 public:
  explicit RevivedObject(const void* bytes) noexcept { std::memcpy(storage_, bytes, sizeof(Lambda)); }
  RevivedObject() noexcept = default;
  template <class... Args>
  requires std::is_invocable_v<Lambda&, Args...>
  decltype(auto) operator()(Args&&... args) {
    return (*reinterpret_cast<Lambda*>(storage_))(static_cast<Args&&>(args)...);
  }

 private:
  alignas(Lambda) std::byte storage_[sizeof(Lambda)] = {};
};

template <class Lambda>
RevivedObject<Lambda> as_object(const LambdaBytes<Lambda>& bytes) noexcept {
  return RevivedObject<Lambda>{bytes.data()};
}
template <class Lambda>
RevivedObject<Lambda> as_object(Nothing) noexcept {
  return {};
}

}  // namespace weft::detail
