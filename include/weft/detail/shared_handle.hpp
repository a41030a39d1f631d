#pragma once
// What the nouns of weft/shared.hpp and weft/parcel.hpp have in common: an object in one process, and the way to it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/buffer.hpp>
#include <weft/deadline.hpp>
#include <weft/detail/packed.hpp>
#include <weft/encoder.hpp>
#include <weft/export.hpp>
#include <weft/value.hpp>

namespace weft::work {
class HomeObject;
struct Asked;
struct Told;
}  // namespace weft::work

namespace weft::detail {

/// A value of a parcel, in bytes that nobody changes any more.
struct WEFT_EXPORT SharedValue {
  Encoding encoding = Encoding::nothing;
  bool in_block = false;  ///< the bytes are those of the first attachment
  std::vector<std::byte> bytes;
  std::vector<Buffer> attachments;

  /// Bytes and buffers are this process's own, copied where they were not. Throws Exhausted.
  static std::shared_ptr<const SharedValue> copy_of(const Payload& payload);
  [[nodiscard]] Payload payload() const noexcept;
};

struct SharedGrant {
  bool came = false;       ///< false: not by the deadline
  bool abandoned = false;  ///< whoever had it last died with it
  std::shared_ptr<const SharedValue> value;
};

/// An object that processes share. It lives in the process that made it, for as long as a handle there lives. In a
/// worker of that process, or of such a worker, a handle asks the parent, by a frame, and suspends until the answer comes.
///
/// Owner: whoever holds it; copies mean the same object. Threads: any of the process that made it; in a worker the main
/// thread and its fibers alone, others get Error.
class WEFT_EXPORT SharedHandle {
 public:
  /// Throw ArgumentError where there are no permits, or nobody is expected.
  static SharedHandle of_permits(std::size_t permits);
  static SharedHandle of_barrier(std::size_t expected);
  static SharedHandle of_rate(std::size_t permits, std::chrono::nanoseconds interval);
  static SharedHandle of_value(const Payload& payload);

  // Throw Closed once the object is gone, Exhausted, ArgumentError where there will never be so many permits, Error.
  // Suspend.
  [[nodiscard]] SharedGrant take(std::string_view key, std::size_t count, std::uint64_t deadline_ns) const;
  [[nodiscard]] bool arrive(std::uint64_t deadline_ns) const;
  [[nodiscard]] bool pace(std::size_t count, std::uint64_t deadline_ns) const;
  [[nodiscard]] std::shared_ptr<const SharedValue> load() const;
  /// And gives the lock back, unless it throws.
  void store(const Payload& payload) const;

  void give(std::string_view key, std::size_t count) const noexcept;
  void drop() const noexcept;

  void encode(Encoder& encoder) const;
  /// Throws EncodingError where it is an object of neither this process nor one above it.
  static SharedHandle decode(const Value& value);

 private:
  SharedHandle(std::uint64_t name, std::uint64_t depth, std::shared_ptr<work::HomeObject> object) noexcept
      : name_{name}, depth_{depth}, object_{std::move(object)} {}
  explicit SharedHandle(std::shared_ptr<work::HomeObject> object) noexcept;
  [[nodiscard]] work::Told ask(const work::Asked& asked) const;
  void tell(const work::Asked& asked) const noexcept;

  std::uint64_t name_ = 0;   // its home and its number there, unless it has lived here all the time
  std::uint64_t depth_ = 0;  // workers above its home
  std::shared_ptr<work::HomeObject> object_;  // if it lives here
};

/// The base of what travels as a handle. How it does is Codec's business alone.
class SharedNoun {
 public:
  [[nodiscard]] const SharedHandle& handle() const noexcept { return handle_; }

 protected:
  explicit SharedNoun(SharedHandle handle) noexcept : handle_{std::move(handle)} {}
  ~SharedNoun() = default;
  SharedNoun(const SharedNoun&) = default;
  SharedNoun& operator=(const SharedNoun&) = default;

 private:
  SharedHandle handle_;
};

/// The base of their Codecs.
template <class Noun>
struct SharedCodec {
  static void encode(Encoder& encoder, const Noun& noun) { noun.handle().encode(encoder); }
  static Noun decode(const Value& value) { return Noun{SharedHandle::decode(value)}; }
};

}  // namespace weft::detail
