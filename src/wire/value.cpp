#include <cstring>
#include <limits>
#include <string>
#include <weft/value.hpp>

namespace weft {

namespace {

/// The types of FlexBuffers that Encoder writes, as they stand in the upper 6 bits of a type byte.
enum FlexType : std::uint8_t {
  kNull = 0,
  kInt = 1,
  kUInt = 2,
  kFloat = 3,
  kString = 5,
  kVector = 10,
  kBlob = 25,
  kBool = 26,
};

constexpr const char* kDamaged = "a payload is damaged: ";

[[noreturn, gnu::noinline, gnu::cold]] void fail_damaged(const char* what) {
  detail::fail_encoding(std::string{kDamaged} + what);
}

[[noreturn, gnu::noinline, gnu::cold]] void fail_number(const std::string& number, const char* wanted) {
  detail::fail_encoding("the number " + number + " does not fit: " + wanted + " was expected");
}

}  // namespace

std::string_view name_of(Value::Type type) noexcept {
  switch (type) {
    case Value::Type::null:
      return "nothing";
    case Value::Type::boolean:
      return "a boolean";
    case Value::Type::integer:
      return "an integer";
    case Value::Type::unsigned_integer:
      return "an unsigned integer";
    case Value::Type::real:
      return "a real number";
    case Value::Type::text:
      return "a text";
    case Value::Type::blob:
      return "a blob";
    case Value::Type::vector:
      return "a vector";
  }
  return "an unknown type";
}

void Value::expect(Type type) const {
  if (type_ != type) [[unlikely]] {
    detail::fail_encoding("expected " + std::string{name_of(type)} + ", found " +
                          std::string{name_of(type_)});
  }
}

void Value::null() const { expect(Type::null); }

bool Value::boolean() const {
  expect(Type::boolean);
  const std::uint64_t bits = document_->read(at_, width_);
  if (bits > 1) fail_damaged("a boolean is neither true nor false");
  return bits == 1;
}

std::int64_t Value::integer() const {
  if (type_ == Type::unsigned_integer) {
    const std::uint64_t value = document_->read(at_, width_);
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail_number(std::to_string(value), "a signed integer of 64 bits");
    }
    return static_cast<std::int64_t>(value);
  }
  expect(Type::integer);
  const std::uint64_t bits = document_->read(at_, width_);
  const unsigned unused = 64U - 8U * width_;
  return static_cast<std::int64_t>(bits << unused) >> unused;  // Extends the sign.
}

std::uint64_t Value::unsigned_integer() const {
  if (type_ == Type::integer) {
    const std::int64_t value = integer();
    if (value < 0) fail_number(std::to_string(value), "an unsigned integer");
    return static_cast<std::uint64_t>(value);
  }
  expect(Type::unsigned_integer);
  return document_->read(at_, width_);
}

double Value::real() const {
  expect(Type::real);
  const std::uint64_t bits = document_->read(at_, width_);
  if (width_ == 8) {
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  const auto low = static_cast<std::uint32_t>(bits);
  float value = 0;
  std::memcpy(&value, &low, sizeof value);
  return value;
}

std::string_view Value::text() const {
  expect(Type::text);
  return {reinterpret_cast<const char*>(document_->bytes_.data() + at_), static_cast<std::size_t>(count_)};
}

std::span<const std::byte> Value::blob() const {
  expect(Type::blob);
  return document_->bytes_.subspan(static_cast<std::size_t>(at_), static_cast<std::size_t>(count_));
}

std::size_t Value::size() const {
  expect(Type::vector);
  return static_cast<std::size_t>(count_);
}

void Value::expect_size(std::size_t count) const {
  if (size() != count) [[unlikely]] {
    detail::fail_encoding("expected " + std::to_string(count) + " values, found " + std::to_string(count_));
  }
}

Value Value::operator[](std::size_t index) const {
  expect(Type::vector);
  if (index >= count_) [[unlikely]] {
    detail::fail_encoding("there is no value " + std::to_string(index) + " in a vector of " +
                          std::to_string(count_));
  }
  const std::uint64_t place = at_ + index * width_;
  const auto packed_type = static_cast<std::uint8_t>(document_->read(at_ + count_ * width_ + index, 1));
  return document_->at(place, width_, packed_type, static_cast<std::uint8_t>(depth_ + 1));
}

const Buffer& Value::buffer() const { return attachment(unsigned_integer()); }

const Buffer& Value::attachment(std::uint64_t index) const {
  const std::span<const Buffer> attachments = document_->attachments_;
  if (index >= attachments.size()) {
    detail::fail_encoding("there is no buffer " + std::to_string(index) + " among the " +
                          std::to_string(attachments.size()) + " that came along");
  }
  return attachments[static_cast<std::size_t>(index)];
}

namespace detail {

/// `width` bytes, 1, 2, 4 or 8, at `at`, which the caller has checked. What comes back is what was checked: the barrier
/// keeps the compiler from reading the memory again later, when its writer may have changed it.
std::uint64_t Document::read(std::uint64_t at, std::uint8_t width) const noexcept {
  const std::byte* const from = bytes_.data() + at;
  std::uint64_t value = 0;
  switch (width) {  // Little-endian, as all that weft runs on: the low bytes come first.
    case 1:
      std::memcpy(&value, from, 1);
      break;
    case 2:
      std::memcpy(&value, from, 2);
      break;
    case 4:
      std::memcpy(&value, from, 4);
      break;
    default:
      std::memcpy(&value, from, 8);
      break;
  }
  asm volatile("" : "+r"(value));
  return value;
}

Value Document::root() {
  // The last bytes: the value, its type, how wide it is.
  const std::uint64_t size = bytes_.size();
  if (size < 3) fail_damaged("it is shorter than any value");
  const auto width = static_cast<std::uint8_t>(read(size - 1, 1));
  if (width != 1 && width != 2 && width != 4 && width != 8) fail_damaged("its width is none");
  if (size - 2 < width) fail_damaged("its root lies outside");
  return at(size - 2 - width, width, static_cast<std::uint8_t>(read(size - 2, 1)), 0);
}

/// The value of `packed_type` that stands at `place`, or that the offset there leads to.
Value Document::at(std::uint64_t place, std::uint8_t width, std::uint8_t packed_type, std::uint8_t depth) {
  const auto scalar = [&](Value::Type type) { return Value{this, place, 0, width, type, depth}; };
  switch (packed_type >> 2) {
    case kNull:
      return scalar(Value::Type::null);
    case kInt:
      return scalar(Value::Type::integer);
    case kUInt:
      return scalar(Value::Type::unsigned_integer);
    case kBool:
      return scalar(Value::Type::boolean);
    case kFloat:
      if (width < 4) fail_damaged("a real number of less than 4 bytes");
      return scalar(Value::Type::real);
    default:
      return behind(place, width, packed_type, depth);
  }
}

/// The text, blob or vector that the offset at `place` leads back to. It ends before `place`, as everything that was
/// written first does, so a chain of offsets ends too.
Value Document::behind(std::uint64_t place, std::uint8_t width, std::uint8_t packed_type,
                       std::uint8_t depth) {
  const int flex_type = packed_type >> 2;
  if (flex_type != kString && flex_type != kBlob && flex_type != kVector)
    fail_damaged("a type that weft does not write");
  const std::uint64_t offset = read(place, width);
  if (offset > place) fail_damaged("an offset leads outside");
  const std::uint64_t begin = place - offset;
  const auto own_width = static_cast<std::uint8_t>(1U << (packed_type & 3));
  if (begin < own_width) fail_damaged("a size lies outside");
  const std::uint64_t count = read(begin - own_width, own_width);

  Value::Type type = Value::Type::blob;
  std::uint64_t room = offset;  // Bytes that may be its own.
  std::uint64_t unit = 1;
  if (flex_type == kString) {
    type = Value::Type::text;
    room = offset == 0 ? 0 : offset - 1;  // A terminator follows.
  } else if (flex_type == kVector) {
    type = Value::Type::vector;
    unit = own_width + 1U;  // Each element has a type byte behind them all.
    if (depth >= kNestingMax) fail_encoding("a value is nested more than 64 deep");
  }
  if (count > room / unit) fail_damaged("a size leads outside");
  if (count >= budget_)
    fail_encoding("a value is read again and again, or has parts that stand in many places");
  budget_ -= count + 1;
  return {this, begin, count, own_width, type, depth};
}

}  // namespace detail
}  // namespace weft
