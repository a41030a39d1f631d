#pragma once

#include <concepts>
#include <functional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <weft/codec.hpp>
#include <weft/detail/packed.hpp>
#include <weft/detail/shared_handle.hpp>

namespace weft {

/// A value that a process and its workers share, with a lock of its own. It may grow to any size. What weft/shared.hpp
/// says of homes, handles, threads and deaths holds here.
///
/// The value lies at home, encoded: reading it is a frame there and a frame back, changing it two of each. Beyond a
/// kilobyte it lies in a block, which its readers map rather than copy.
///
/// Owner: its copies together; the value is gone with the last of them at home. Threads: at home any; in a worker the main
/// thread and its fibers. Blocks: unwrap() and synchronized() suspend the fiber. Crash: of a worker within synchronized():
/// the value stays as it was, and the next who changes it is told (was_abandoned()).
template <class T>
class Parcel : public detail::SharedNoun {
 public:
  /// Throws EncodingError, Exhausted.
  explicit Parcel(const T& value = T{})
      : SharedNoun{detail::SharedHandle::of_value(Packed{value}.payload())} {}
  explicit Parcel(detail::SharedHandle handle) noexcept : SharedNoun{std::move(handle)} {}

  /// The value that was stored last, without waiting for whoever is just changing it. Suspends in a worker until the
  /// home has answered. Throws Closed, EncodingError, Exhausted.
  [[nodiscard]] T unwrap() const { return decode(*handle().load()); }

  /// Calls `change(value)` while nobody else can change it, stores what it has made of the value, and gives its result.
  /// If it throws, nothing is stored, and that is passed on; nor if the worker dies. Suspends. Throws Closed,
  /// EncodingError, Exhausted; nothing was stored then.
  template <std::invocable<T&> F>
  std::invoke_result_t<F, T&> synchronized(F&& change) {
    using Result = std::invoke_result_t<F, T&>;
    static_assert(!std::is_reference_v<Result>, "weft: the value is gone by then: return a copy");
    Turn turn{handle()};
    T value = decode(*turn.grant.value);
    abandoned_ = turn.grant.abandoned;
    if constexpr (std::is_void_v<Result>) {
      std::invoke(std::forward<F>(change), value);
      turn.end_with(value);
    } else {
      Result result = std::invoke(std::forward<F>(change), value);
      turn.end_with(value);
      return result;
    }
  }

  /// Within synchronized(): the last who had the parcel was a worker that died before it had stored anything. The value is
  /// the one from before that. Said once.
  [[nodiscard]] bool was_abandoned() const noexcept { return abandoned_; }

 private:
  using Packed = detail::Packed<T>;

  /// Somebody's time with the value.
  struct Turn {
    explicit Turn(const detail::SharedHandle& handle_)
        : handle{handle_}, grant{handle.take({}, 1, detail::kNever)} {}
    ~Turn() {
      if (!ended) handle.give({}, 1);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    void end_with(const T& value) {
      const Packed packed{value};
      handle.store(packed.payload());
      ended = true;
    }

    const detail::SharedHandle& handle;
    const detail::SharedGrant grant;
    bool ended = false;
  };

  static T decode(const detail::SharedValue& value) {
    return std::get<0>(detail::unpack<T>(value.payload()));
  }

  bool abandoned_ = false;  // written by who has just got it
};

template <class T>
struct Codec<Parcel<T>> : detail::SharedCodec<Parcel<T>> {
  static constexpr std::string_view schema = "parcel";
};

}  // namespace weft
