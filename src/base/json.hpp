#pragma once

#include <string>
#include <string_view>

namespace weft::base {

/// Appends `text` as a JSON string, quotes included. What is not UTF-8 becomes U+FFFD, one for each byte, so that whatever
/// a program calls its things, what is written can be read.
void append_json(std::string& to, std::string_view text);

}  // namespace weft::base
