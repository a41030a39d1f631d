// Encoder writes FlexBuffers that flatbuffers itself can read, and Value reads what Encoder writes and nothing else.

#include <flatbuffers/flexbuffers.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>
#include <weft/encoder.hpp>
#include <weft/value.hpp>

namespace {

using weft::Encoder;
using weft::EncodingError;
using weft::Value;
using weft::detail::Document;

void write_everything(Encoder& encoder) {
  encoder.begin_vector();
  encoder.null();
  encoder.boolean(true);
  encoder.integer(-300);
  encoder.unsigned_integer(~0ULL);
  encoder.real(0.1);
  encoder.text("text");
  encoder.blob(std::as_bytes(std::span{"blob", 4}));
  encoder.begin_vector();
  encoder.text(std::string_view{"longer than it should be"}.substr(0, 6));
  encoder.end_vector();
  encoder.begin_vector();
  encoder.end_vector();
  encoder.end_vector();
}

template <class Function>
std::string refusal(Function function) {
  try {
    function();
  } catch (const EncodingError& error) {
    return error.what();
  }
  return "accepted";
}

std::span<const std::byte> as_bytes(const flexbuffers::Builder& builder) {
  return std::as_bytes(std::span{builder.GetBuffer()});
}

TEST(WireValue, is_a_FlexBuffer_for_everybody_else) {
  Encoder encoder;
  write_everything(encoder);
  const std::span<const std::byte> bytes = encoder.finish();
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  ASSERT_TRUE(flexbuffers::VerifyBuffer(data, bytes.size()));
  const flexbuffers::Vector vector = flexbuffers::GetRoot(data, bytes.size()).AsVector();
  ASSERT_EQ(vector.size(), 9U);
  EXPECT_TRUE(vector[0].IsNull());
  EXPECT_TRUE(vector[1].IsBool() && vector[1].AsBool());
  EXPECT_EQ(vector[2].AsInt64(), -300);
  EXPECT_EQ(vector[3].AsUInt64(), ~0ULL);
  EXPECT_EQ(vector[4].AsDouble(), 0.1);
  EXPECT_STREQ(vector[5].AsString().c_str(), "text");
  EXPECT_EQ(vector[6].AsBlob().size(), 4U);
  EXPECT_STREQ(vector[7].AsVector()[0].AsString().c_str(), "longer");
  EXPECT_EQ(vector[8].AsVector().size(), 0U);
}

TEST(WireValue, is_read_as_what_it_is_and_as_nothing_else) {
  Encoder encoder;
  write_everything(encoder);
  Document document{encoder.finish(), {}};
  const Value vector = document.root();
  using Type = Value::Type;
  const std::vector<Type> types{Type::null,  Type::boolean, Type::integer, Type::unsigned_integer,
                                Type::real,  Type::text,    Type::blob,    Type::vector,
                                Type::vector};
  ASSERT_EQ(vector.size(), types.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Value value = vector[i];
    EXPECT_EQ(value.type(), types[i]);
    const auto accepts = [&](auto read) { return refusal([&] { read(value); }) == "accepted"; };
    EXPECT_EQ(accepts([](const Value& v) { v.null(); }), types[i] == Type::null) << i;
    EXPECT_EQ(accepts([](const Value& v) { static_cast<void>(v.boolean()); }), types[i] == Type::boolean)
        << i;
    EXPECT_EQ(accepts([](const Value& v) { static_cast<void>(v.integer()); }), types[i] == Type::integer)
        << i;
    EXPECT_EQ(accepts([](const Value& v) { static_cast<void>(v.real()); }), types[i] == Type::real) << i;
    EXPECT_EQ(accepts([](const Value& v) { static_cast<void>(v.text()); }), types[i] == Type::text) << i;
    EXPECT_EQ(accepts([](const Value& v) { static_cast<void>(v.blob()); }), types[i] == Type::blob) << i;
    EXPECT_EQ(accepts([](const Value& v) { static_cast<void>(v.size()); }), types[i] == Type::vector) << i;
  }
  EXPECT_EQ(vector[3].unsigned_integer(), ~0ULL);
  EXPECT_EQ(refusal([&] { static_cast<void>(vector[9]); }), "weft: there is no value 9 in a vector of 9");
}

TEST(WireValue, is_refused_if_it_is_of_a_type_that_weft_does_not_write) {
  const auto root_of = [](auto write) {
    flexbuffers::Builder builder;
    write(builder);
    builder.Finish();
    return refusal([&] { static_cast<void>(Document{as_bytes(builder), {}}.root()); });
  };
  const std::string refused = "weft: a payload is damaged: a type that weft does not write";
  EXPECT_EQ(root_of([](flexbuffers::Builder& b) { b.Map([&] { b.Int("key", 1); }); }), refused);
  EXPECT_EQ(root_of([](flexbuffers::Builder& b) { b.Key("key"); }), refused);
  EXPECT_EQ(root_of([](flexbuffers::Builder& b) { b.Add(std::vector<int>{1, 2}); }), refused);
  EXPECT_EQ(root_of([](flexbuffers::Builder& b) { b.IndirectInt(1); }), refused);
  EXPECT_EQ(root_of([](flexbuffers::Builder& b) { b.Int(1); }), "accepted");
}

TEST(WireValue, does_not_believe_the_verifier_of_flatbuffers) {
  // A key without an end, which VerifyBuffer lets pass and every reader of the key runs off.
  const std::vector<std::uint8_t> key{0x01, 0x01, 0x12, 0x01};
  EXPECT_NE(refusal([&] {
              static_cast<void>(Document{std::as_bytes(std::span{key}), {}}.root());
            }),
            "accepted");
}

TEST(WireValue, is_refused_wherever_an_offset_or_a_size_leads_outside) {
  // A vector of one text, "ab": 2 'a' 'b' 0 | 1 | offset 4 | type || offset, type, width.
  const std::vector<std::uint8_t> sound{2, 'a', 'b', 0, 1, 4, 5 << 2, 2, 10 << 2, 1};
  const auto read = [](const std::vector<std::uint8_t>& bytes) {
    return refusal([&] {
      Document document{std::as_bytes(std::span{bytes}), {}};
      EXPECT_EQ(document.root()[0].text(), "ab");
    });
  };
  ASSERT_EQ(read(sound), "accepted");
  const auto with = [&](std::size_t place, int value) {
    std::vector<std::uint8_t> bytes = sound;
    bytes[place] = static_cast<std::uint8_t>(value);
    return read(bytes);
  };
  EXPECT_EQ(with(0, 4), "weft: a payload is damaged: a size leads outside")
      << "the terminator is not the text's";
  EXPECT_EQ(with(0, 200), "weft: a payload is damaged: a size leads outside");
  EXPECT_EQ(with(4, 2), "weft: a payload is damaged: a size leads outside");
  EXPECT_EQ(with(5, 6), "weft: a payload is damaged: an offset leads outside");
  EXPECT_EQ(with(5, 5), "weft: a payload is damaged: a size lies outside");
  EXPECT_EQ(with(6, 31 << 2), "weft: a payload is damaged: a type that weft does not write");
  EXPECT_EQ(with(6, (5 << 2) | 3), "weft: a payload is damaged: a size lies outside") << "of 8 bytes";
  EXPECT_EQ(with(7, 9), "weft: a payload is damaged: an offset leads outside");
  EXPECT_EQ(with(9, 3), "weft: a payload is damaged: its width is none");
  EXPECT_EQ(with(9, 8), "weft: a payload is damaged: an offset leads outside");
}

TEST(WireValue, can_be_read_some_times_over_but_not_for_ever) {
  Encoder encoder;
  write_everything(encoder);
  Document document{encoder.finish(), {}};
  const Value vector = document.root();
  for (int i = 0; i < 10; ++i) {
    for (std::size_t j = 0; j < vector.size(); ++j) static_cast<void>(vector[j]);
  }
  EXPECT_THROW(
      {
        for (;;) static_cast<void>(vector[5]);
      },
      EncodingError);
}

TEST(WireValue, is_nested_no_deeper_than_a_reader_can_go) {
  Encoder encoder;
  const auto nest = [&](unsigned depth) {
    encoder.clear();
    for (unsigned i = 0; i < depth; ++i) encoder.begin_vector();
    for (unsigned i = 0; i < depth; ++i) encoder.end_vector();
    return encoder.finish();
  };
  Document document{nest(64), {}};
  Value value = document.root();
  while (value.size() == 1) value = value[0];
  EXPECT_THROW(nest(65), EncodingError);

  flexbuffers::Builder builder;
  for (int i = 0; i < 65; ++i) builder.StartVector();
  for (int i = 0; i < 65; ++i) builder.EndVector(0, false, false);
  builder.Finish();
  Document deep{as_bytes(builder), {}};
  EXPECT_THROW(
      {
        Value inner = deep.root();
        while (inner.size() == 1) inner = inner[0];
      },
      EncodingError);
}

TEST(WireEncoder, refuses_to_be_left_open_or_to_write_several_values) {
  Encoder encoder;
  encoder.begin_vector();
  EXPECT_THROW(static_cast<void>(encoder.finish()), EncodingError);
  encoder.clear();
  EXPECT_THROW(static_cast<void>(encoder.finish()), EncodingError) << "nothing was written";
  EXPECT_THROW(encoder.end_vector(), EncodingError);
  encoder.integer(1);
  encoder.integer(2);
  EXPECT_EQ(encoder.count(), 2U);
  EXPECT_THROW(static_cast<void>(encoder.finish()), EncodingError);
  encoder.clear();
  encoder.integer(1);
  EXPECT_EQ(encoder.finish().size(), 3U);
  EXPECT_EQ(encoder.finish().size(), 3U) << "once more is no harm";
}

}  // namespace
