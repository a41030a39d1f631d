#include "base/json.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace weft::base {
namespace {

std::string json(std::string_view text) {
  std::string made = "x";
  append_json(made, text);
  return made.substr(1);
}

TEST(Json, leaves_text_as_it_is) {
  EXPECT_EQ(json(""), R"("")");
  EXPECT_EQ(json("plain <text> / ä € 😀"), R"("plain <text> / ä € 😀")");
}

TEST(Json, escapes_what_ends_a_string_or_a_line) {
  EXPECT_EQ(json("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json("\n\t\x1b\x7f"), R"("\u000a\u0009\u001b\u007f")");
  EXPECT_EQ(json(std::string_view{"\0", 1}), R"("\u0000")");
}

TEST(Json, replaces_what_is_no_utf8) {
  EXPECT_EQ(json("a\xff"), R"("a\ufffd")");
  EXPECT_EQ(json("\xe2\x82"), R"("\ufffd\ufffd")") << "cut short";
  EXPECT_EQ(json("\xc0\x80"), R"("\ufffd\ufffd")") << "longer than it need be";
  EXPECT_EQ(json("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")") << "half a surrogate pair";
  EXPECT_EQ(json("\xf4\x90\x80\x80"), R"("\ufffd\ufffd\ufffd\ufffd")") << "beyond the last character";
  EXPECT_EQ(json("\xe2(\x80"), R"("\ufffd(\ufffd")");
}

}  // namespace
}  // namespace weft::base
