#pragma once

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/check.hpp"

namespace weft::base {

/// Why something below `work/` could not be done. Nothing there throws: `work/` turns a Fault into the public
/// error that tells the caller what to do next.
struct Fault {
  enum class Kind {
    exhausted,  ///< memory, descriptors or processes ran out; `message` names the limit and how to raise it
    violation,  ///< another process wrote something that does not hold
    incompatible,  ///< the peer is of another build, layout or schema
    system,        ///< a system call failed for another reason
    encoding,      ///< a value cannot be encoded or decoded
  };
  Kind kind = Kind::system;
  int error = 0;  ///< errno at the time, 0 where there is none
  std::string message;

  /// "what: errno text", e.g. "memfd_create: Too many open files".
  static Fault system_call(const char* what, int error = errno) {
    return {Kind::system, error, std::string{what} + ": " + std::strerror(error)};
  }
  static Fault violation(std::string message) { return {Kind::violation, 0, std::move(message)}; }
  static Fault exhausted(std::string message, int error = 0) {
    return {Kind::exhausted, error, std::move(message)};
  }
};

/// A T or the Fault that kept it from being. std::expected, which GCC 12 and Clang 14 do not have.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_{std::move(value)} {}      // NOLINT(google-explicit-constructor)
  Result(Fault fault) : fault_{std::move(fault)} {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] explicit operator bool() const noexcept { return value_.has_value(); }
  [[nodiscard]] T& operator*() & noexcept { return get(); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(get()); }
  [[nodiscard]] T* operator->() noexcept { return &get(); }
  [[nodiscard]] const Fault& fault() const noexcept { return fault_; }
  [[nodiscard]] Fault& fault() noexcept { return fault_; }

 private:
  T& get() noexcept {
    WEFT_CHECK(value_.has_value(), "Result has no value");
    return *value_;
  }
  std::optional<T> value_;
  Fault fault_;
};

/// Success, or a Fault.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Fault fault) : fault_{std::move(fault)} {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] explicit operator bool() const noexcept { return !fault_.has_value(); }
  [[nodiscard]] const Fault& fault() const noexcept { return *fault_; }
  [[nodiscard]] Fault& fault() noexcept { return *fault_; }

 private:
  std::optional<Fault> fault_;
};

}  // namespace weft::base
