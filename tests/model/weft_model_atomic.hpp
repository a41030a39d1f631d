#pragma once
// What base/atomic.hpp becomes under WEFT_MODEL: the same names over the model checker (engine.hpp). An atomic is
// exactly as large as its value, since the ring lays them over a byte buffer; all that the checker knows of it stands
// in a table keyed by its address. Outside of a modelled thread (while a scenario is set up) it is plain memory.

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace weft::model {

/// Where in the sources an operation stands.
struct Site {
  const char* file;
  int line;
};
/// As parameters, which the caller leaves out: its own place in the sources.
#define WEFT_MODEL_CALLER const char *file = __builtin_FILE(), int line = __builtin_LINE()

/// True in a modelled thread.
bool running() noexcept;
/// Its number, from 0; out of any, 0 too.
unsigned current_thread() noexcept;

std::uint64_t atomic_load(const void* word, unsigned bytes, std::memory_order order, Site site) noexcept;
void atomic_store(void* word, unsigned bytes, std::uint64_t value, std::memory_order order,
                  Site site) noexcept;
using Change = std::uint64_t (*)(std::uint64_t old, std::uint64_t operand);
std::uint64_t atomic_change(void* word, unsigned bytes, Change change, std::uint64_t operand,
                            std::memory_order order, Site site) noexcept;
void fence(Site site) noexcept;

}  // namespace weft::model

namespace weft::base {

template <class T>
class Atomic {
  static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  using Order = std::memory_order;
  using Site = model::Site;

 public:
  static constexpr bool is_always_lock_free = true;

  constexpr Atomic() noexcept = default;
  constexpr Atomic(T value) noexcept
      : value_{value} {}  // NOLINT(google-explicit-constructor): as std::atomic
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(Order order, WEFT_MODEL_CALLER) const noexcept {
    if (!model::running()) return value_;
    return static_cast<T>(model::atomic_load(&value_, sizeof(T), order, {file, line}));
  }
  void store(T value, Order order, WEFT_MODEL_CALLER) noexcept {
    if (!model::running()) {
      value_ = value;
      return;
    }
    model::atomic_store(&value_, sizeof(T), value, order, {file, line});
  }
  T exchange(T value, Order order, WEFT_MODEL_CALLER) noexcept {
    return change([](std::uint64_t, std::uint64_t operand) { return operand; }, value, order, {file, line});
  }
  T fetch_add(T value, Order order, WEFT_MODEL_CALLER) noexcept {
    return change(
        [](std::uint64_t old, std::uint64_t operand) { return std::uint64_t{T(T(old) + T(operand))}; }, value,
        order, {file, line});
  }
  T fetch_sub(T value, Order order, WEFT_MODEL_CALLER) noexcept {
    return change(
        [](std::uint64_t old, std::uint64_t operand) { return std::uint64_t{T(T(old) - T(operand))}; }, value,
        order, {file, line});
  }

 private:
  T change(model::Change how, T operand, Order order, Site site) noexcept {
    if (!model::running()) {
      const T old = value_;
      value_ = static_cast<T>(how(old, operand));
      return old;
    }
    return static_cast<T>(model::atomic_change(&value_, sizeof(T), how, operand, order, site));
  }

  T value_{};
};

inline constexpr auto relaxed = std::memory_order_relaxed;
inline constexpr auto acquire = std::memory_order_acquire;
inline constexpr auto release = std::memory_order_release;
inline constexpr auto seq_cst = std::memory_order_seq_cst;

inline void full_fence(WEFT_MODEL_CALLER) noexcept {
  if (model::running()) model::fence({file, line});
}

/// The model runs each thread's operations in the order of the program: nothing to keep the compiler from.
inline void compiler_fence() noexcept {}

inline constexpr std::uint64_t kThreadTagMask = 63;
inline std::uint64_t thread_tag() noexcept {
  return (model::current_thread() + std::uint64_t{1}) * (kThreadTagMask + 1);
}

inline constexpr bool kModelled = true;
/// The threads that base::Mutex gives a seat, a bit each; the others never get one.
inline std::uint32_t modelled_seats = 0;
inline bool modelled_seat(std::uint64_t tag) noexcept {
  return (modelled_seats >> (tag / (kThreadTagMask + 1) - 1) & 1) != 0;
}

}  // namespace weft::base
