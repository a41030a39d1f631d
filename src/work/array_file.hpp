#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/unique_fd.hpp"

namespace weft::work {

/// A JSON array in a file that can be read after every step of its growth, wherever its writer is killed.
///
/// The kernel breaks a write off between pages when the process is killed. So the array has some whitespace before its
/// end, and elements come into that by writes that stay within a page. Only when the whitespace has been used up does the
/// end move, by two writes; a kill between those leaves an array without its "]", which viewers of traces take too.
///
/// Owner: one writer, which has written to the file all that is in it. Threads: one at a time.
class ArrayFile {
 public:
  explicit ArrayFile(base::UniqueFd file) noexcept : file_{std::move(file)} {}

  /// An empty array. This and the other two: false with errno where it cannot be written.
  [[nodiscard]] bool begin() noexcept;
  /// Appends elements, each of them behind a comma and a newline, and with no newline in it.
  [[nodiscard]] bool append(std::string_view elements);
  /// Leaves nothing but a newline before the end; more may be appended all the same.
  [[nodiscard]] bool trim() noexcept;

 private:
  [[nodiscard]] bool grow(std::uint64_t bytes);
  [[nodiscard]] bool write(std::string_view text, std::uint64_t at) const noexcept;

  base::UniqueFd file_;
  std::uint64_t position_ = 0;  ///< where the next element goes
  std::uint64_t bracket_ = 0;   ///< where the array ends; whitespace in between
  bool is_empty_ = true;
};

}  // namespace weft::work
