#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>
#include <weft/codec.hpp>

namespace {

using weft::detail::signature;
using weft::detail::signature_hash;

struct Node {
  int key = 0;
  std::vector<Node> children;
};
struct Leaf {
  float weight = 0;
  std::array<std::uint16_t, 4> code{};
};
struct Named {};
struct Unnamed {};
enum class Small : std::int8_t { a };
class Opaque {
 public:
  explicit Opaque(int number) : number_{number} {}
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

}  // namespace

template <>
struct weft::Codec<Named> {
  static constexpr std::string_view schema = "named-1";
  static void encode(Encoder& encoder, const Named&) { encoder.null(); }
  static Named decode(const Value&) { return {}; }
};
template <>
struct weft::Codec<Unnamed> {
  static void encode(Encoder& encoder, const Unnamed&) { encoder.null(); }
  static Unnamed decode(const Value&) { return {}; }
};

namespace {

TEST(Signature, says_what_a_function_takes_and_returns) {
  EXPECT_EQ((signature<std::uint64_t(int, const std::string&, std::vector<double>)>()), "i32,str,[f64]->u64");
  EXPECT_EQ(signature<void()>(), "->()");
  EXPECT_EQ((signature<bool(std::string_view, const char*, std::filesystem::path)>()), "str,str,str->bool");
  EXPECT_EQ((signature<weft::Buffer(std::span<const std::byte>, std::vector<char>, Small)>()),
            "[u8],[i8],i8->buffer");
}

TEST(Signature, looks_into_types) {
  EXPECT_EQ((signature<Node(Leaf)>()), "{f32,[u16;4]}->{i32,[^1]}");
  EXPECT_EQ((signature<void(std::map<std::string, std::optional<int>>, std::set<char16_t>)>()),
            "[str:i32?],[u16:]->()");
  EXPECT_EQ((signature<std::variant<int, std::monostate>(std::pair<long, long long>, std::tuple<>)>()),
            "(i64,i64),()->(i32|())");
  EXPECT_EQ((signature<std::chrono::steady_clock::time_point(std::chrono::milliseconds)>()),
            "duration<i64,1/1000>->steady_time<i64,1/1000000000>");
  EXPECT_EQ((signature<Named(Unnamed, Opaque)>()), "?,bytes<4>->named-1");
}

TEST(Signature, has_a_hash_that_is_part_of_the_wire) {
  static_assert(signature_hash<void()>() != signature_hash<int()>());
  // The reference vectors of FNV-1a.
  EXPECT_EQ(weft::detail::hash_text(""), 0xcbf29ce484222325U);
  EXPECT_EQ(weft::detail::hash_text("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(weft::detail::hash_text("foobar"), 0x85944171f73967e8U);
  EXPECT_EQ(weft::detail::hash_text("bar", weft::detail::hash_text("foo")), 0x85944171f73967e8U);
}

}  // namespace
