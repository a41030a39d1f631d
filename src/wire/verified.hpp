#pragma once
// What the FlatBuffers that cross the border have in common. Included by this room's sources alone.

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::wire {

/// A private copy of what another process wrote, aligned as FlatBuffers want it: what is verified is what is read,
/// whatever the writer does meanwhile.
class PrivateCopy {
 public:
  explicit PrivateCopy(std::span<const std::byte> bytes)
      : words_((bytes.size() + 7) / 8), size_{bytes.size()} {
    if (!bytes.empty()) std::memcpy(words_.data(), bytes.data(), bytes.size());
  }
  [[nodiscard]] const std::uint8_t* data() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(words_.data());
  }

  /// The root of type T, or nullptr: the bytes are not a whole and valid T with this identifier.
  template <class T>
  [[nodiscard]] const T* root(const char* identifier) const {
    // The shortest buffer has a root offset and an identifier; the verifier looks for the latter without asking.
    if (size_ < 8 || size_ >= FLATBUFFERS_MAX_BUFFER_SIZE) return nullptr;
    flatbuffers::Verifier verifier{data(), size_, /*max_depth=*/16, /*max_tables=*/1024};
    return verifier.VerifyBuffer<T>(identifier) ? flatbuffers::GetRoot<T>(data()) : nullptr;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

inline std::string to_string(const flatbuffers::String* text) {
  return text == nullptr ? std::string{} : text->str();
}

/// A vector of scalars. The verifier lets them lie at any 4 bytes, so they are copied as bytes.
template <class To, class From>
std::vector<To> to_vector(const flatbuffers::Vector<From>* from) {
  static_assert(sizeof(To) == sizeof(From));
  if (from == nullptr) return {};
  std::vector<To> to(from->size());
  if (!to.empty()) std::memcpy(to.data(), from->Data(), to.size() * sizeof(To));
  return to;
}

/// The finished buffer as bytes.
inline std::vector<std::byte> take_bytes(const flatbuffers::FlatBufferBuilder& builder) {
  const auto* const begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {begin, begin + builder.GetSize()};
}

}  // namespace weft::wire
