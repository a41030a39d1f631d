#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/unique_fd.hpp"

namespace weft::process {

/// Reads /proc/self/maps line by line, without allocation, locks or the C library's streams: usable in a
/// handler of a crash signal. About 6 KiB in size, so mind small stacks.
class Maps {
 public:
  struct Line {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t file_offset = 0;
    bool executable = false;
    std::string_view path;  ///< empty if anonymous or longer than 1 KiB; valid until the next call of next()
  };

  Maps() noexcept;
  /// The next mapping, in the order of addresses; false at the end.
  bool next(Line& line) noexcept;

 private:
  bool next_byte(char& byte) noexcept;
  std::uint64_t hex_number(char& stopped_at) noexcept;

  base::UniqueFd file_;
  std::size_t filled_ = 0;
  std::size_t taken_ = 0;
  char buffer_[4096];
  char path_[1024];
};

}  // namespace weft::process
