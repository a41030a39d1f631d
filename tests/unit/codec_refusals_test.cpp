// What the codec does not take: payloads that it did not make, and values that cannot travel.

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>
#include <weft/codec.hpp>

namespace {

using weft::Encodable;
using weft::Encoding;
using weft::EncodingError;
using weft::detail::Packed;
using weft::detail::Payload;
using weft::detail::unpack;

template <class... Args>
std::string refusal(const Payload& payload) {
  try {
    static_cast<void>(unpack<Args...>(payload));
  } catch (const EncodingError& error) {
    return error.what();
  }
  return "accepted";
}

/// The refusal of `As...` where somebody else packed `args`.
template <class... As, class... Args>
std::string refusal_of(const Args&... args) {
  const Packed<Args...> packed{args...};
  return refusal<As...>(packed.payload());
}

struct Flagged {
  int number = 0;
  bool flag = false;
};

struct Chained {
  std::string text;
  std::vector<Chained> next;
};

struct WithPointer {
  int* pointer;
};

struct WithBase : Flagged {
  std::string text;
};

class Opaque {
 public:
  Opaque() = default;
  Opaque(const Opaque&) {}  // NOLINT: not trivially copyable
  Opaque& operator=(const Opaque&) = default;
};

struct Careless {};
struct Reentrant {};
struct Thrower {
  int x = 0;
};

}  // namespace

template <>
struct weft::Codec<Careless> {
  static void encode(Encoder& encoder, const Careless&) {
    encoder.integer(1);
    encoder.integer(2);
  }
  static Careless decode(const Value&) { return {}; }
};

template <>
struct weft::Codec<Reentrant> {
  static void encode(Encoder& encoder, const Reentrant&) {
    const detail::Packed<std::string, int> inner{"inner", 1};  // As a submit from within a codec would.
    encoder.integer(static_cast<std::int64_t>(inner.payload().bytes.size()));
  }
  static Reentrant decode(const Value& value) {
    static_cast<void>(value.integer());
    return {};
  }
};

template <>
struct weft::Codec<Thrower> {
  static void encode(Encoder& encoder, const Thrower&) {
    encoder.begin_vector();
    throw std::runtime_error{"in the middle"};
  }
  static Thrower decode(const Value&) { return {}; }
};

namespace {

static_assert(Encodable<int> && Encodable<std::string> && Encodable<Chained> &&
              Encodable<std::map<int, Chained>>);
static_assert(Encodable<weft::Buffer> && Encodable<std::monostate> && Encodable<Flagged>);
static_assert(!Encodable<int*> && !Encodable<int&> && !Encodable<void> && !Encodable<std::nullptr_t>);
static_assert(!Encodable<void (*)()> && !Encodable<int Flagged::*>);
static_assert(!Encodable<std::string_view> && !Encodable<const char*> &&
              !Encodable<std::span<const std::byte>>);
static_assert(!Encodable<std::vector<std::string_view>> && !Encodable<std::span<int>>);
static_assert(!Encodable<std::unique_ptr<int>> && !Encodable<std::shared_ptr<int>> &&
              !Encodable<std::vector<int*>>);
static_assert(!Encodable<std::reference_wrapper<int>> && !Encodable<std::error_code> &&
              !Encodable<std::vector<int>::iterator>);
static_assert(!Encodable<WithPointer> && !Encodable<WithBase> && !Encodable<Opaque> &&
              !Encodable<std::optional<WithPointer>>);
static_assert(!Encodable<std::function<void()>> && !Encodable<std::variant<int, std::unique_ptr<int>>>);

TEST(CodecRefusals, name_what_was_expected_and_what_was_found) {
  EXPECT_EQ((refusal_of<int>(std::string{"text"})), "weft: expected bytes, found text");
  EXPECT_EQ((refusal_of<int>(1L)), "weft: expected 4 bytes, found 8");
  EXPECT_EQ((refusal_of<int, std::string>(std::string{"a"}, std::string{"b"})),
            "weft: expected an integer, found a text");
  EXPECT_EQ((refusal_of<std::string, std::string>(std::string{"a"}, 1)),
            "weft: expected a text, found an integer");
  EXPECT_EQ((refusal_of<std::string, int>(std::string{"a"}, 1, 2)), "weft: expected 2 values, found 3");
  EXPECT_EQ((refusal_of<std::vector<double>>(std::string{"seven.."})),
            "weft: expected elements of 8 bytes, found 7 bytes in all");
  EXPECT_EQ((refusal<>({Encoding::nothing, std::as_bytes(std::span{"x"}), {}})),
            "weft: expected 0 bytes, found 2");
  EXPECT_EQ((refusal<weft::Buffer>({Encoding::buffer, {}, {}})),
            "weft: expected one buffer, found none or several");
  EXPECT_EQ((refusal<int>({static_cast<Encoding>(77), {}, {}})),
            "weft: expected bytes, found an unknown encoding");
}

TEST(CodecRefusals, numbers_that_do_not_fit) {
  const std::string text;
  EXPECT_EQ((refusal_of<std::string, std::int8_t>(text, 128)),
            "weft: the number 128 does not fit into 1 bytes");
  EXPECT_EQ((refusal_of<std::string, std::int8_t>(text, -129)),
            "weft: the number -129 does not fit into 1 bytes");
  EXPECT_EQ((refusal_of<std::string, std::uint16_t>(text, 65536U)),
            "weft: the number 65536 does not fit into 2 bytes");
  EXPECT_EQ((refusal_of<std::string, unsigned>(text, -1)),
            "weft: the number -1 does not fit: an unsigned integer was expected");
  EXPECT_EQ((refusal_of<std::string, long>(text, ~0UL)),
            "weft: the number 18446744073709551615 does not fit: a signed integer of 64 bits was expected");
  EXPECT_NE((refusal_of<std::string, float>(text, 1e300)), "accepted");
  EXPECT_EQ((refusal_of<std::string, std::uint8_t>(text, 255)), "accepted")
      << "signedness alone is no reason";
}

TEST(CodecRefusals, booleans_that_are_neither) {
  const std::byte two{2};
  EXPECT_EQ((refusal<bool>({Encoding::bytes, {&two, 1}, {}})), "weft: a boolean is neither true nor false");

  Flagged flagged{1, true};
  std::vector<std::byte> bytes(sizeof flagged);
  std::memcpy(bytes.data(), &flagged, sizeof flagged);
  EXPECT_EQ(refusal<Flagged>({Encoding::bytes, bytes, {}}), "accepted");
  bytes[offsetof(Flagged, flag)] = std::byte{3};
  EXPECT_NE(refusal<Flagged>({Encoding::bytes, bytes, {}}), "accepted");
  EXPECT_NE(refusal<std::vector<Flagged>>({Encoding::text, bytes, {}}), "accepted");
}

TEST(CodecRefusals, variants_optionals_and_maps_of_the_wrong_shape) {
  using Two = std::variant<int, std::string>;
  using Three = std::variant<int, std::string, double>;
  EXPECT_EQ((refusal_of<Two>(Three{1.5})), "weft: a variant has no alternative 2");
  EXPECT_EQ((refusal_of<std::optional<int>>(std::tuple{1, 2})), "weft: expected 1 values, found 2");
  EXPECT_EQ((refusal_of<std::map<int, int>>(std::tuple{1, 2, 3})), "weft: a map has a key without a value");
  EXPECT_EQ((refusal_of<std::tuple<int, int>>(std::tuple{1})), "weft: expected 2 values, found 1");
  EXPECT_EQ((refusal_of<Chained>(std::tuple{std::string{"a"}})), "weft: expected 2 values, found 1");
}

TEST(CodecRefusals, buffers_that_did_not_come_along) {
  const Packed<std::string, std::vector<weft::Buffer>> packed{"", {weft::Buffer{}}};
  Payload payload = packed.payload();
  payload.attachments = {};
  EXPECT_EQ((refusal<std::string, std::vector<weft::Buffer>>(payload)),
            "weft: there is no buffer 0 among the 0 that came along");
}

TEST(CodecRefusals, every_payload_that_is_cut_short) {
  const Packed<Chained, std::map<std::string, int>> packed{Chained{"a", {{"b", {}}, {"c", {{"d", {}}}}}},
                                                           {{"k", 1}}};
  const Payload whole = packed.payload();
  for (std::size_t size = 0; size < whole.bytes.size(); ++size) {
    const std::vector<std::byte> cut(whole.bytes.begin(),
                                     whole.bytes.begin() + static_cast<std::ptrdiff_t>(size));
    // Whatever it becomes, it is not read beyond its end (that is for the sanitizer), and mostly it is refused.
    static_cast<void>(refusal<Chained, std::map<std::string, int>>({Encoding::values, cut, {}}));
  }
  EXPECT_NE((refusal<Chained, std::map<std::string, int>>({Encoding::values, {}, {}})), "accepted");
}

TEST(CodecRefusals, values_that_contain_themselves) {
  Chained chain;
  for (int i = 0; i < 100; ++i) {
    Chained outer;
    outer.next.push_back(std::move(chain));
    chain = std::move(outer);
  }
  EXPECT_THROW((Packed<Chained>{chain}), EncodingError);
}

TEST(CodecRefusals, few_bytes_that_unfold_into_no_end_of_values) {
  // Vectors of two offsets, both to the vector before: each level doubles what there is to read. 40 levels, 1e12 values.
  std::vector<std::uint8_t> bytes{0};  // an empty vector: its size
  std::size_t target = bytes.size();
  for (int level = 0; level < 40; ++level) {
    bytes.push_back(2);
    const std::size_t begin = bytes.size();
    for (std::size_t i = 0; i < 2; ++i) bytes.push_back(static_cast<std::uint8_t>(begin + i - target));
    for (int i = 0; i < 2; ++i) bytes.push_back(10 << 2);
    target = begin;
  }
  bytes.push_back(static_cast<std::uint8_t>(bytes.size() - target));
  bytes.push_back(10 << 2);
  bytes.push_back(1);

  weft::detail::Document document{std::as_bytes(std::span{bytes}), {}};
  const std::function<std::size_t(const weft::Value&)> count = [&](const weft::Value& value) {
    std::size_t values = 1;
    for (std::size_t i = 0; i < value.size(); ++i) values += count(value[i]);
    return values;
  };
  EXPECT_THROW(static_cast<void>(count(document.root())), EncodingError);
}

TEST(CodecRefusals, codecs_that_do_not_write_exactly_one_value) {
  EXPECT_THROW((Packed<Careless>{Careless{}}), EncodingError);
  EXPECT_EQ((refusal_of<int, std::string>(1, std::string{"fine"})), "accepted")
      << "the encoder was left unusable";
}

TEST(CodecRefusals, leave_other_encoders_of_the_thread_alone) {
  const Packed<std::string, Reentrant, std::string> packed{"before", {}, "after"};
  const Packed<std::string, int> second{"second", 2};
  EXPECT_EQ(std::get<2>(unpack<std::string, Reentrant, std::string>(packed.payload())), "after");
  EXPECT_EQ(std::get<0>(unpack<std::string, int>(second.payload())), "second");

  EXPECT_THROW((Packed<std::string, Thrower>{"x", {}}), std::runtime_error);
  EXPECT_EQ((refusal_of<std::string, int>(std::string{"a"}, 1)), "accepted");
}

}  // namespace
