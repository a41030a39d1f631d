#pragma once
// Messages: FlatBuffers tables of the user's own schemas, built in place, sent without a copy, read in place. The one
// public header that needs flatbuffers.

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <weft/buffer.hpp>
#include <weft/codec.hpp>
#include <weft/detail/callable.hpp>
#include <weft/detail/typename.hpp>
#include <weft/error.hpp>

namespace weft {

namespace detail {

/// A message begins at a multiple of this, so that all in it is aligned where the builder aligned it to its beginning.
inline constexpr std::size_t kMessageAlignment = 64;
static_assert(kMessageAlignment >= FLATBUFFERS_MAX_ALIGNMENT);

/// FlatBuffers count bytes with 31 bits.
inline constexpr std::size_t kMessageBytesMax =
    FLATBUFFERS_MAX_BUFFER_SIZE / kMessageAlignment * kMessageAlignment;

/// "demo::Request": the same for every compiler, since generated tables are plain structs in named namespaces.
template <class X>
constexpr std::string_view table_name() noexcept {
  return pretty_part(__PRETTY_FUNCTION__);
}

[[noreturn, gnu::noinline, gnu::cold]] inline void fail_message(std::string_view table,
                                                                const std::string& what) {
  fail_encoding("a message " + std::string{table} + " " + what);
}

template <class Table>
const Table* verified_root(std::span<const std::byte> bytes) {
  if (bytes.size() > kMessageBytesMax) [[unlikely]]
    fail_message(table_name<Table>(),
                 "has " + std::to_string(bytes.size()) + " bytes; FlatBuffers end at 2 GiB");
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier::Options options;
  options.max_depth = kNestingMax;
  // A table takes 8 bytes with the offset that leads to it. Some may stand in several places, but not so many that
  // a few bytes are read for ever.
  options.max_tables = static_cast<flatbuffers::uoffset_t>(64 + bytes.size() / 4);
  flatbuffers::Verifier verifier{data, bytes.size(), options};
  if (!verifier.VerifyBuffer<Table>(nullptr)) [[unlikely]]
    fail_message(table_name<Table>(), "does not hold: its " + std::to_string(bytes.size()) +
                                          " bytes are damaged, of another schema, or nested too deeply");
  return flatbuffers::GetRoot<Table>(data);
}

}  // namespace detail

/// A table of a FlatBuffers schema, in place in shared memory: the whole of it has been verified, and nothing copied. As
/// a task's argument it is built by a MessageBuilder in the submitter's arena and read there by the worker; as a result
/// the other way round.
///
///   weft::Message<Reply> handle(const Request& request);       // a task; a TaskScope& may come first
///   weft::MessageBuilder builder;
///   auto reply = pool.submit<handle>(builder.finish(CreateRequest(builder, ...))).get();
///   use(reply->text());
///
/// Owner: all copies together, like a Buffer's. Threads: different copies from any threads. Blocks: never.
/// Crash: the process that made it can still write it, if it is broken or hostile: then what was verified is no longer
/// what is read. Who does not trust the maker reads copied().
template <class Table>
class Message {
  static_assert(detail::GeneratedTable<Table>, "weft: a Message is of a table that flatc generated");

 public:
  /// The root in `buffer`, verified. It is read where it lies if that is at a multiple of 64 bytes, as what builders make
  /// and whole Buffers do; else it is copied. Throws EncodingError naming the table, Exhausted.
  explicit Message(Buffer buffer)
      : buffer_{aligned(std::move(buffer))}, root_{detail::verified_root<Table>(bytes())} {}

  Message(const Message&) noexcept = default;
  Message& operator=(const Message&) noexcept = default;
  /// What was moved from holds no table any more.
  Message(Message&& other) noexcept
      : buffer_{std::move(other.buffer_)}, root_{std::exchange(other.root_, nullptr)} {}
  Message& operator=(Message&& other) noexcept {
    buffer_ = std::move(other.buffer_);
    root_ = std::exchange(other.root_, nullptr);
    return *this;
  }
  ~Message() = default;

  [[nodiscard]] const Table& operator*() const noexcept { return *root_; }
  [[nodiscard]] const Table* operator->() const noexcept { return root_; }
  /// So that a task takes its request as `const Request&`.
  operator const Table&() const noexcept { return *root_; }  // NOLINT(google-explicit-constructor)

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return buffer_.bytes(); }
  [[nodiscard]] const Buffer& buffer() const noexcept { return buffer_; }

  /// A copy in this process's own memory, verified once more: nobody else can change it. Throws EncodingError, Exhausted.
  [[nodiscard]] Message copied() const { return Message{Buffer::copy_of(bytes())}; }

 private:
  friend class MessageBuilder;
  Message(Buffer buffer, const Table* root) noexcept : buffer_{std::move(buffer)}, root_{root} {}

  static Buffer aligned(Buffer buffer) {
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(buffer.data()) % detail::kMessageAlignment == 0;
    return is_aligned ? buffer : Buffer::copy_of(buffer.bytes());
  }

  Buffer buffer_;
  const Table* root_;
};

namespace detail {

/// What a builder writes to: one Buffer at a time, which is taken out when the message is finished.
class BufferAllocator final : public flatbuffers::Allocator {
 public:
  std::uint8_t* allocate(std::size_t size) override { return replace(Buffer{checked(size)}); }
  void deallocate(std::uint8_t*, std::size_t) override { buffer_ = Buffer{}; }
  std::uint8_t* reallocate_downward(std::uint8_t* old, std::size_t old_size, std::size_t new_size,
                                    std::size_t in_use_back, std::size_t in_use_front) override {
    Buffer bigger{checked(new_size)};
    memcpy_downward(old, old_size, writable(bigger), new_size, in_use_back, in_use_front);
    return replace(std::move(bigger));
  }
  [[nodiscard]] Buffer take() noexcept { return std::exchange(buffer_, Buffer{}); }

 private:
  static std::size_t checked(std::size_t size) {
    if (size > kMessageBytesMax) [[unlikely]]
      fail_encoding(
          "a message would grow beyond 2 GiB, where FlatBuffers end: send large parts as a weft::Buffer (or "
          "name the size to the builder if it is just below)");
    return size;
  }
  static std::uint8_t* writable(Buffer& buffer) {
    return reinterpret_cast<std::uint8_t*>(buffer.writable().data());
  }
  std::uint8_t* replace(Buffer buffer) {
    buffer_ = std::move(buffer);
    return writable(buffer_);
  }

  Buffer buffer_;
};

/// A base, so that the allocator is there before the builder that uses it and goes after it.
struct BufferAllocatorMember {
  BufferAllocator allocator_;
};

}  // namespace detail

/// A FlatBufferBuilder whose memory is shared: what it builds is sent as it stands. For generated code it is a
/// flatbuffers::FlatBufferBuilder like any other. May be used again after finish().
///
/// Owner: the caller. Threads: one at a time. Blocks: never. Every function that adds something may throw Exhausted, or
/// EncodingError beyond 2 GiB; after that the builder can only be destroyed.
class MessageBuilder : private detail::BufferAllocatorMember, public flatbuffers::FlatBufferBuilder {
 public:
  /// `size_bytes`: how much the message will take, as far as is known: it then does not have to move while it grows.
  explicit MessageBuilder(std::size_t size_bytes = 1024)
      : FlatBufferBuilder{std::clamp(size_bytes, detail::kMessageAlignment, detail::kMessageBytesMax),
                          &allocator_, false, detail::kMessageAlignment} {}
  MessageBuilder(const MessageBuilder&) = delete;
  MessageBuilder& operator=(const MessageBuilder&) = delete;

  /// Ends the message with its root. `file_identifier`: nullptr, or four characters to be written into it.
  template <class Table>
  [[nodiscard]] Message<Table> finish(flatbuffers::Offset<Table> root,
                                      const char* file_identifier = nullptr) {
    TrackMinAlign(detail::kMessageAlignment);
    Finish(root, file_identifier);
    const std::size_t size = GetSize();
    std::size_t reserved = 0;
    std::size_t offset = 0;
    static_cast<void>(FlatBufferBuilder::ReleaseRaw(reserved, offset));  // stays in allocator_
    Clear();
    Buffer bytes = allocator_.take().slice(offset, size);
    const auto* const table = flatbuffers::GetRoot<Table>(bytes.data());
    return Message<Table>{std::move(bytes), table};
  }

  // These would hand out memory that belongs to the arena.
  flatbuffers::DetachedBuffer Release() = delete;
  flatbuffers::DetachedBuffer ReleaseBufferPointer() = delete;
  std::uint8_t* ReleaseRaw(std::size_t&, std::size_t&) = delete;
  void Swap(FlatBufferBuilder&) = delete;
};

/// Beside or inside other values: an attached buffer.
template <class Table>
struct Codec<Message<Table>> {
  static constexpr std::string_view schema = detail::table_name<Table>();
  static void encode(Encoder& encoder, const Message<Table>& message) { encoder.buffer(message.buffer()); }
  static Message<Table> decode(const Value& value) { return Message<Table>{value.buffer()}; }
};

}  // namespace weft
