// Payloads from a hostile process: the first byte says what the rest claims to be. Whatever it is, nothing is read
// beyond it, no more is done than its size warrants, and what is accepted can be written again and reads the same.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>
#include <weft/codec.hpp>

#include "wire/control.hpp"
#include "wire/failure.hpp"

namespace {

using weft::Encoding;
using weft::Value;
using weft::detail::Packed;
using weft::detail::Payload;
using weft::detail::unpack;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Point {
  std::int32_t x = 0;  // No float: a NaN does not equal itself.
  bool visible = false;
  friend bool operator==(const Point&, const Point&) = default;
};

struct Tree {
  std::string name;
  std::optional<std::uint8_t> weight;
  std::vector<Tree> children;
  friend bool operator==(const Tree&, const Tree&) = default;
};

std::size_t touched = 0;

/// Reads everything.
void walk(const Value& value) {
  ++touched;
  switch (value.type()) {
    case Value::Type::null:
      value.null();
      break;
    case Value::Type::boolean:
      touched += value.boolean() ? 1 : 0;
      break;
    case Value::Type::integer:
      touched += value.integer() == 0 ? 1 : 0;
      break;
    case Value::Type::unsigned_integer:
      touched += value.unsigned_integer() == 0 ? 1 : 0;
      break;
    case Value::Type::real:
      touched += value.real() > 0 ? 1 : 0;
      break;
    case Value::Type::text:
      touched += std::string{value.text()}.size();
      break;
    case Value::Type::blob:
      for (const std::byte byte : value.blob()) touched += byte == std::byte{0} ? 1 : 0;
      break;
    case Value::Type::vector:
      for (std::size_t i = 0; i < value.size(); ++i) walk(value[i]);
      break;
  }
}

template <class... Args>
void try_unpack(const Payload& payload) {
  try {
    const std::tuple<Args...> values = unpack<Args...>(payload);
    const auto again = [](const Args&... args) {
      const Packed<Args...> packed{args...};
      return unpack<Args...>(packed.payload());
    };
    require(std::apply(again, values) == values);
  } catch (const weft::EncodingError&) {
    // As it should be.
  }
}

void try_values(const Payload& payload) {
  try {
    weft::detail::Document document{payload.bytes, payload.attachments};
    touched = 0;
    walk(document.root());
    require(touched <= 64 * (payload.bytes.size() + 1));
  } catch (const weft::EncodingError&) {
    // As it should be.
  }
  try_unpack<Tree>(payload);
  try_unpack<std::string, std::map<std::string, std::vector<std::int16_t>>>(payload);
  try_unpack<std::variant<std::int32_t, std::string, std::vector<Point>>, std::chrono::milliseconds>(payload);
  try_unpack<std::array<std::string, 2>, std::filesystem::path, bool>(payload);
}

void try_failure(std::span<const std::byte> bytes) {
  auto report = weft::wire::decode_failure(bytes);
  if (!report) return;
  auto again = weft::wire::decode_failure(weft::wire::encode(*report));
  require(static_cast<bool>(again));
  require(again->kind == report->kind && again->chain.size() == report->chain.size() &&
          again->code == report->code);
  const std::vector<std::byte> small = weft::wire::encode(*report, weft::wire::kFailureBytesMin);
  require(small.size() <= weft::wire::kFailureBytesMin);
}

void try_control(std::span<const std::byte> bytes) {
  auto message = weft::wire::decode_control(bytes);
  if (!message) return;
  auto again = weft::wire::decode_control(weft::wire::encode(*message));
  require(static_cast<bool>(again) && *again == *message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // Ends where it ends, so that a sanitizer sees what reads beyond.
  const std::vector<std::byte> copy(reinterpret_cast<const std::byte*>(data + 1),
                                    reinterpret_cast<const std::byte*>(data + size));
  const std::span<const std::byte> bytes{copy};
  switch (data[0] % 5) {
    case 0:
      try_values({Encoding::values, bytes, {}});
      break;
    case 1:
      try_failure(bytes);
      break;
    case 2:
      try_control(bytes);
      break;
    case 3:
      try_unpack<std::int32_t, bool, Point>({Encoding::bytes, bytes, {}});
      break;
    default:
      try_unpack<std::vector<Point>>({Encoding::text, bytes, {}});
      try_unpack<std::filesystem::path>({Encoding::text, bytes, {}});
      break;
  }
  return 0;
}
