// What goes into a payload comes out of it.

#include <gtest/gtest.h>

#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstring>
#include <deque>
#include <filesystem>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>
#include <weft/codec.hpp>

namespace {

using weft::Encoding;
using weft::detail::Packed;
using weft::detail::Payload;
using weft::detail::unpack;

/// The payload in memory that ends where it ends, at an odd address, so that a sanitizer sees what reads beyond or
/// asks for alignment.
struct Sent {
  explicit Sent(const Payload& payload) : encoding{payload.encoding}, bytes(payload.bytes.size() + 1) {
    if (!payload.bytes.empty()) std::memcpy(bytes.data() + 1, payload.bytes.data(), payload.bytes.size());
    attachments.assign(payload.attachments.begin(), payload.attachments.end());
  }
  [[nodiscard]] Payload payload() const { return {encoding, std::span{bytes}.subspan(1), attachments}; }

  Encoding encoding;
  std::vector<std::byte> bytes;
  std::vector<weft::Buffer> attachments;
};

template <class... Args>
void expect_round_trip(Encoding encoding, const Args&... args) {
  const Packed<Args...> packed{args...};
  EXPECT_EQ(packed.payload().encoding, encoding);
  const Sent sent{packed.payload()};
  EXPECT_EQ(unpack<Args...>(sent.payload()), (std::tuple<Args...>{args...}));
}

struct Point {
  double x = 0;
  double y = 0;
  bool visible = false;
  friend bool operator==(const Point&, const Point&) = default;
};

struct Person {
  std::string name;
  std::optional<int> age;
  std::vector<Person> children;
  std::filesystem::path picture;
  friend bool operator==(const Person&, const Person&) = default;
};

struct Tag {
  friend bool operator==(const Tag&, const Tag&) = default;
};

struct Name {  // A C array: its bytes, since its fields cannot be told apart.
  char letters[12] = {};
  int length = 0;
  friend bool operator==(const Name&, const Name&) = default;
};

struct Fixed {
  const int number;
  const std::string text;
  friend bool operator==(const Fixed&, const Fixed&) = default;
};

class Meters {  // Trivially copyable, but no aggregate.
 public:
  Meters() = default;
  explicit Meters(double value) : value_{value} {}
  friend bool operator==(const Meters&, const Meters&) = default;

 private:
  double value_ = 0;
};

class Money {
 public:
  explicit Money(std::int64_t cents) : cents_{cents} {}
  [[nodiscard]] std::int64_t cents() const { return cents_; }
  friend bool operator==(const Money&, const Money&) = default;

 private:
  std::int64_t cents_;
};

struct Order {
  Money price{0};
  std::vector<Money> rebates;
  friend bool operator==(const Order&, const Order&) = default;
};

enum class Colour : std::uint8_t { red = 1, green = 200 };
enum Unscoped { unscoped_a, unscoped_b };

}  // namespace

template <>
struct weft::Codec<Money> {
  static void encode(Encoder& encoder, const Money& money) { encoder.integer(money.cents()); }
  static Money decode(const Value& value) { return Money{value.integer()}; }
};

namespace {

TEST(Codec, needs_no_bytes_for_nothing) {
  expect_round_trip(Encoding::nothing);
  EXPECT_TRUE(Packed<>{}.payload().bytes.empty());
}

TEST(Codec, packs_trivially_copyable_arguments_at_their_alignment) {
  expect_round_trip(Encoding::bytes, 1);
  expect_round_trip(Encoding::bytes, true, 2.5, 'x', Colour::green, unscoped_b);
  expect_round_trip(Encoding::bytes, Point{1, 2, true}, std::array<short, 3>{1, 2, 3}, Meters{4});
  expect_round_trip(Encoding::bytes, Name{"Ada", 3}, Tag{}, std::chrono::milliseconds{5});
  expect_round_trip(Encoding::bytes, std::complex<double>{1, 2}, std::bitset<100>{7}, 3.5L);

  const Packed<char, double> packed{'a', 1.0};
  EXPECT_EQ(packed.payload().bytes.size(), 16U);
  EXPECT_EQ(packed.payload().bytes[1], std::byte{0}) << "the gap holds what happened to lie there";
}

TEST(Codec, sends_one_large_plain_value_from_where_it_is) {
  const std::array<std::uint64_t, 1000> large{1, 2, 3};
  const Packed<std::array<std::uint64_t, 1000>> packed{large};
  EXPECT_EQ(static_cast<const void*>(packed.payload().bytes.data()), large.data());
  expect_round_trip(Encoding::bytes, large);
  expect_round_trip(Encoding::values, large, 1);
}

TEST(Codec, sends_one_string_or_run_of_plain_elements_from_where_it_is) {
  const std::string text = "a text that is longer than what fits into a string itself";
  EXPECT_EQ(static_cast<const void*>(Packed<std::string>{text}.payload().bytes.data()), text.data());
  expect_round_trip(Encoding::text, text);
  expect_round_trip(Encoding::text, std::string{"with\0zero", 9});
  expect_round_trip(Encoding::text, std::string{});
  expect_round_trip(Encoding::text, std::filesystem::path{"/a/ü"});
  expect_round_trip(Encoding::text, std::vector<std::byte>{std::byte{1}, std::byte{0}});
  expect_round_trip(Encoding::text, std::vector<double>{1, 2, 3});
  expect_round_trip(Encoding::text, std::vector<Point>{{1, 2, true}, {3, 4, false}});
  expect_round_trip(Encoding::text, std::u16string{u"schön"});
}

TEST(Codec, gives_views_of_a_payload_to_those_who_ask_for_them) {
  const Packed<const char*> packed{"literal"};
  const Sent sent{packed.payload()};
  const auto [text] = unpack<std::string_view>(sent.payload());
  EXPECT_EQ(text, "literal");
  EXPECT_EQ(static_cast<const void*>(text.data()), sent.payload().bytes.data());
  EXPECT_EQ(std::get<0>(unpack<std::string>(sent.payload())), "literal");
  EXPECT_EQ(std::get<0>(unpack<std::span<const std::byte>>(sent.payload())).size(), 7U);

  const Packed<std::string_view, int> mixed{std::string_view{"literal"}.substr(0, 3), 1};
  EXPECT_EQ(std::get<0>(unpack<std::string_view, int>(mixed.payload())), "lit");
}

TEST(Codec, carries_strings_beside_other_things) {
  expect_round_trip(Encoding::values, std::string{"text"}, 7);
  expect_round_trip(Encoding::values, std::string{}, std::filesystem::path{}, std::vector<char>{});
  expect_round_trip(Encoding::values, std::string(70'000, 'x'), std::string(300, 'y'));
}

TEST(Codec, carries_integers_of_every_width) {
  using Integers = std::tuple<std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                              std::uint16_t, std::uint32_t, std::uint64_t, char, char16_t, bool>;
  const auto all = [](auto pick) { return std::apply(pick, Integers{}); };
  const Integers smallest =
      all([](auto... types) { return Integers{std::numeric_limits<decltype(types)>::min()...}; });
  const Integers largest =
      all([](auto... types) { return Integers{std::numeric_limits<decltype(types)>::max()...}; });
  expect_round_trip(Encoding::values, smallest, largest);
  expect_round_trip(Encoding::values, Integers{});
  expect_round_trip(Encoding::values, std::tuple{-1, -1L, 0U, 1UL, std::int64_t{-129}, std::int64_t{-32769}});
}

TEST(Codec, carries_reals_exactly) {
  using Reals = std::tuple<float, double>;
  expect_round_trip(
      Encoding::values, Reals{0.1F, 0.1}, Reals{-0.0F, -0.0}, Reals{1e38F, 1e308},
      Reals{std::numeric_limits<float>::infinity(), -std::numeric_limits<double>::infinity()},
      Reals{std::numeric_limits<float>::denorm_min(), std::numeric_limits<double>::denorm_min()});
  const Packed<Reals> not_numbers{Reals{std::nanf(""), std::nan("")}};
  const auto [reals] = unpack<Reals>(not_numbers.payload());
  EXPECT_TRUE(std::isnan(std::get<0>(reals)));
  EXPECT_TRUE(std::isnan(std::get<1>(reals)));
}

TEST(Codec, carries_containers) {
  expect_round_trip(Encoding::values, std::vector<std::string>{"a", "", "ccc"}, std::vector<std::string>{});
  expect_round_trip(Encoding::values, std::list<int>{1, 2}, std::deque<std::string>{"x"},
                    std::vector<bool>{true, false});
  expect_round_trip(Encoding::values, std::map<std::string, int>{{"a", 1}, {"b", 2}},
                    std::multimap<int, int>{{1, 2}, {1, 3}});
  expect_round_trip(Encoding::values, std::set<int>{3, 1}, std::unordered_set<std::string>{"p", "q"});
  expect_round_trip(Encoding::values, std::unordered_map<int, std::vector<std::string>>{{1, {"a"}}, {2, {}}});
  expect_round_trip(Encoding::values, std::array<std::string, 2>{"a", "b"}, std::array<int, 0>{});
  expect_round_trip(Encoding::values, std::vector<std::vector<double>>{{1}, {}, {2, 3}}, 1);
}

TEST(Codec, carries_large_containers) {
  std::vector<std::string> many;
  for (int i = 0; i < 20'000; ++i) many.push_back(std::to_string(i));
  expect_round_trip(Encoding::values, many);
}

TEST(Codec, carries_optional_variant_pair_and_tuple) {
  expect_round_trip(Encoding::values, std::optional<int>{}, std::optional<int>{0},
                    std::optional<std::optional<int>>{std::optional<int>{}});
  using Either = std::variant<int, std::string, std::monostate, int>;
  expect_round_trip(Encoding::values, Either{std::in_place_index<0>, 1}, Either{std::in_place_index<3>, 1},
                    Either{"text"}, Either{std::monostate{}});
  expect_round_trip(Encoding::values, std::pair<int, std::string>{1, "one"}, std::tuple<>{},
                    std::monostate{});
}

TEST(Codec, carries_durations_time_points_and_enums) {
  using namespace std::chrono;
  expect_round_trip(Encoding::values, std::string{}, 5ms, duration<double, std::micro>{1.5},
                    system_clock::now(), steady_clock::now(), Colour::green, unscoped_b);
}

TEST(Codec, carries_aggregates_by_their_fields) {
  expect_round_trip(Encoding::values, Person{"Ada", 36, {{"Byron", std::nullopt, {}, "b.png"}}, "a.png"});
  expect_round_trip(Encoding::values, std::vector<Person>(3),
                    std::map<std::string, Point>{{"p", {1, 2, true}}});
  expect_round_trip(Encoding::values, Fixed{1, "one"}, Tag{}, Name{"Ada", 3});
}

TEST(Codec, uses_a_codec_that_the_user_wrote_wherever_the_type_stands) {
  expect_round_trip(Encoding::values, Money{5});
  expect_round_trip(Encoding::values, Order{Money{500}, {Money{1}, Money{-2}}},
                    std::optional<Money>{Money{3}});
}

TEST(Codec, can_be_called_for_the_parts_of_a_type) {
  weft::Encoder encoder;
  encoder.begin_vector();
  weft::encode(encoder, std::string{"a"});
  weft::encode(encoder, std::vector<int>{1, 2});
  encoder.end_vector();
  weft::detail::Document document{encoder.finish(), {}};
  const weft::Value value = document.root();
  EXPECT_EQ(weft::decode<std::string>(value[0]), "a");
  EXPECT_EQ(weft::decode<std::vector<int>>(value[1]), (std::vector<int>{1, 2}));
}

TEST(Codec, sends_buffers_along_without_their_bytes) {
  const weft::Buffer buffer{100};
  const Packed<weft::Buffer> alone{buffer};
  EXPECT_EQ(alone.payload().encoding, Encoding::buffer);
  EXPECT_TRUE(alone.payload().bytes.empty());
  EXPECT_EQ(std::get<0>(unpack<weft::Buffer>(alone.payload())).data(), buffer.data());

  const weft::Buffer other{50};
  const Packed<std::string, std::vector<weft::Buffer>> mixed{"two", {buffer, other}};
  EXPECT_EQ(mixed.payload().attachments.size(), 2U);
  const Sent sent{mixed.payload()};
  const auto [text, buffers] = unpack<std::string, std::vector<weft::Buffer>>(sent.payload());
  ASSERT_EQ(buffers.size(), 2U);
  EXPECT_EQ(buffers[0].data(), buffer.data());
  EXPECT_EQ(buffers[1].size(), 50U);
}

}  // namespace
