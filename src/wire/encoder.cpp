#include <flatbuffers/flexbuffers.h>

#include <optional>
#include <vector>
#include <weft/encoder.hpp>

namespace weft {

namespace {

/// What an encoder keeps of its memory between two uses.
constexpr std::size_t kKeptBytesMax = 1U << 20;
constexpr std::size_t kKeptValuesMax = kKeptBytesMax / 16;
/// Encoders that a thread keeps.
constexpr std::size_t kKeptEncodersMax = 8;

/// An open vector. Its elements are on the builder's stack from `start` on.
struct Level {
  std::size_t start;
  std::size_t count;
};

}  // namespace

struct Encoder::State {
  State() {
    levels.reserve(detail::kNestingMax + 1);
    clear();
  }

  /// The builder, for one value more where the next one goes.
  flexbuffers::Builder& one() {
    ++levels.back().count;
    ++values;
    return *builder;
  }

  void clear() noexcept {
    // The builder never gives memory back, so one that grew large is replaced; an empty one allocates nothing.
    if (!builder || builder->GetSize() > kKeptBytesMax || values > kKeptValuesMax) {
      builder.emplace(0, flexbuffers::BUILDER_FLAG_NONE);
    } else {
      builder->Clear();
    }
    if (scratch.capacity() > kKeptBytesMax) scratch = std::string{};
    attachments.clear();
    values = 0;
    finished = false;
    levels.clear();
    levels.push_back({0, 0});  // The top, which is no vector.
  }

  std::optional<flexbuffers::Builder> builder;
  std::vector<Level> levels;
  std::vector<Buffer> attachments;
  std::string scratch;
  std::size_t values = 0;  // since clear(): the builder's stack keeps room for as many
  bool finished = false;
};

Encoder::Encoder() : state_{std::make_unique<State>()} {}
Encoder::~Encoder() = default;

void Encoder::null() { state_->one().Null(); }
void Encoder::boolean(bool value) { state_->one().Bool(value); }
void Encoder::integer(std::int64_t value) { state_->one().Int(value); }
void Encoder::unsigned_integer(std::uint64_t value) { state_->one().UInt(value); }
void Encoder::real(double value) { state_->one().Double(value); }
void Encoder::terminated_text(const char* value, std::size_t size) { state_->one().String(value, size); }

void Encoder::text(std::string_view value) {
  // The builder copies the byte behind the text as well, for a terminator, and a view need not have one.
  state_->scratch.assign(value);
  terminated_text(state_->scratch.c_str(), value.size());
}

void Encoder::blob(std::span<const std::byte> value) { state_->one().Blob(value.data(), value.size()); }

void Encoder::begin_vector() {
  if (state_->levels.size() > detail::kNestingMax) {
    detail::fail_encoding("a value is nested more than 64 deep; does it contain itself?");
  }
  const std::size_t start = state_->one().StartVector();
  state_->levels.push_back({start, 0});
}

void Encoder::end_vector() {
  if (state_->levels.size() == 1) detail::fail_encoding("a codec ended a vector that it had not begun");
  state_->builder->EndVector(state_->levels.back().start, false, false);
  state_->levels.pop_back();
}

void Encoder::buffer(const Buffer& value) { unsigned_integer(attach(value)); }

std::uint64_t Encoder::attach(const Buffer& value) {
  state_->attachments.push_back(value);
  return state_->attachments.size() - 1;
}

std::size_t Encoder::count() const noexcept { return state_->levels.back().count; }

std::span<const std::byte> Encoder::finish() {
  if (state_->levels.size() != 1) detail::fail_encoding("a codec began a vector and did not end it");
  if (state_->levels.back().count != 1) detail::fail_encoding("a codec must write exactly one value");
  if (!state_->finished) {
    state_->builder->Finish();
    state_->finished = true;
  }
  return std::as_bytes(std::span{state_->builder->GetBuffer()});
}

std::span<const Buffer> Encoder::attachments() const noexcept { return state_->attachments; }

void Encoder::clear() noexcept { state_->clear(); }

std::string_view name_of(Encoding encoding) noexcept {
  switch (encoding) {
    case Encoding::nothing:
      return "nothing";
    case Encoding::bytes:
      return "bytes";
    case Encoding::text:
      return "text";
    case Encoding::values:
      return "values";
    case Encoding::buffer:
      return "a buffer";
    case Encoding::message:
      return "a message";
  }
  return "an unknown encoding";
}

namespace detail {

namespace {

/// The encoders that this thread keeps. Leases may outlive it at the end of the thread: they then find `gone` set,
/// which is a plain variable and stays readable.
struct Kept {
  Kept() { encoders.reserve(kKeptEncodersMax); }
  ~Kept() { gone = true; }
  std::vector<std::unique_ptr<Encoder>> encoders;
  static thread_local bool gone;
};
thread_local bool Kept::gone = false;
thread_local Kept kept;

}  // namespace

EncoderLease::EncoderLease() {
  if (Kept::gone || kept.encoders.empty()) {
    encoder_ = new Encoder;
    return;
  }
  encoder_ = kept.encoders.back().release();
  kept.encoders.pop_back();
}

EncoderLease::~EncoderLease() {
  if (Kept::gone || kept.encoders.size() == kKeptEncodersMax) {
    delete encoder_;
    return;
  }
  encoder_->clear();
  kept.encoders.emplace_back(encoder_);
}

}  // namespace detail
}  // namespace weft
