#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft_cli {

/// `text` for one line of a terminal: control characters (also those from U+0080 to U+009F, which some terminals obey),
/// which a file name or a codec's message may hold, are written as \n or \x1b, spaces at its end are left out.
std::string printable(std::string_view text);

/// As much of `text`, in UTF-8, as so many columns show, if no character takes two. None is cut in the middle.
std::string_view first_columns(std::string_view text, std::size_t columns);

/// "12.3 kB", in steps of 1,000.
std::string human_bytes(std::uint64_t bytes);

/// "0.84 s", "3 min 20 s", "2 h 05 min".
std::string human_seconds(double seconds);

/// "64 ns", "2.05 us", "16.4 ms", in steps of 1,000.
std::string human_nanoseconds(std::chrono::nanoseconds time);

/// "1 picture", "3 pictures".
std::string counted(std::size_t count, std::string_view noun);

}  // namespace weft_cli
