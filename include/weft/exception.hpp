#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>
#include <weft/codec.hpp>
#include <weft/encoder.hpp>
#include <weft/error.hpp>
#include <weft/export.hpp>

namespace weft {

namespace detail {

/// What came from a worker of one exception. `value` is what the type's codec wrote there, if it has one.
struct RemoteParts {
  TaskException::Facts facts;
  std::span<const std::byte> value;
};

/// An E that a task threw in its worker: an E in every way, with its original text and what else is known of it.
template <class E>
class Remote : public E, public TaskException {
 public:
  Remote(E thrown, TaskException::Facts facts) : E(std::move(thrown)), TaskException{std::move(facts)} {}
};

template <std::derived_from<std::exception> E>
class Remote<E> : public E, public TaskException {
 public:
  Remote(E thrown, TaskException::Facts facts) : E(std::move(thrown)), TaskException{std::move(facts)} {}
  [[nodiscard]] const char* what() const noexcept override { return TaskException::message().c_str(); }
};

/// How an exception type travels: `write` is null where its text is all that does.
struct ExceptionCodec {
  void (*write)(const std::exception_ptr& exception, Encoder& encoder) = nullptr;
  void (*raise)(RemoteParts parts) = nullptr;  // throws
};

WEFT_EXPORT void add_exception(const std::type_info& type, ExceptionCodec codec);

template <class E>
concept FromText = std::constructible_from<E, const std::string&> || std::constructible_from<E, const char*>;

template <class E>
void write_exception(const std::exception_ptr& exception, Encoder& encoder) {
  try {
    std::rethrow_exception(exception);
  } catch (const E& held) {
    encode_value(encoder, held);
  }
}

template <class E>
[[noreturn]] void raise_from_text(RemoteParts parts) {
  if constexpr (std::constructible_from<E, const std::string&>) {
    E exception(static_cast<const std::string&>(parts.facts.chain.front().message));
    throw Remote<E>{std::move(exception), std::move(parts.facts)};
  } else {
    E exception(parts.facts.chain.front().message.c_str());
    throw Remote<E>{std::move(exception), std::move(parts.facts)};
  }
}

template <class E>
[[noreturn]] void raise_from_value(RemoteParts parts) {
  Document document{parts.value, {}};
  E exception = decode_value<E>(document.root());
  throw Remote<E>{std::move(exception), std::move(parts.facts)};
}

}  // namespace detail

/// From now on an E that a task throws is thrown as an E where its result is asked for, and is a TaskException as well.
/// Without this, and for classes derived from E, it is a TaskFailed; the standard library's exceptions need nothing.
/// To be called in the parent and in the workers, before tasks run: WEFT_REGISTER_EXCEPTION(E) in a source file does it
/// in both. E travels by its weft::Codec if it has one, else by its text, from which it can be made, else as an
/// aggregate. Threads: any.
template <class E>
void register_exception() {
  constexpr bool kByText = !detail::UserCodec<E> && detail::FromText<E>;
  static_assert(std::is_class_v<E> && !std::is_final_v<E> && std::copy_constructible<E>,
                "weft: only classes that can be copied and derived from can be registered as exceptions");
  static_assert(!std::is_base_of_v<TaskException, E>,
                "weft: what is a TaskException already comes as a TaskFailed");
  static_assert(kByText || Encodable<E>,
                "weft: this exception cannot travel between processes: give it a constructor from const "
                "std::string& or const char*, or specialise weft::Codec<E>");
  if constexpr (kByText) {
    detail::add_exception(typeid(E), {nullptr, &detail::raise_from_text<E>});
  } else if constexpr (Encodable<E>) {
    detail::add_exception(typeid(E), {&detail::write_exception<E>, &detail::raise_from_value<E>});
  }
}

}  // namespace weft

/// register_exception<E>() before main; at namespace scope, with a semicolon, once a type and program.
#define WEFT_REGISTER_EXCEPTION(...) WEFT_REGISTER_EXCEPTION_AS(__COUNTER__, __VA_ARGS__)
#define WEFT_REGISTER_EXCEPTION_AS(number, ...) WEFT_REGISTER_EXCEPTION_NAMED(number, __VA_ARGS__)
#define WEFT_REGISTER_EXCEPTION_NAMED(number, ...)                        \
  [[maybe_unused]] static const bool weft_registered_exception_##number = \
      (::weft::register_exception<__VA_ARGS__>(), true)
