#include "wire/control.hpp"

#include <weft/schemas/control_generated.h>

#include <algorithm>
#include <utility>
#include <weft/schemas/schema_hash.hpp>

#include "wire/verified.hpp"

namespace weft::wire {

namespace {

using Builder = flatbuffers::FlatBufferBuilder;

constexpr std::size_t kBuildIdBytesMax = 64;

std::string hex(std::uint64_t number) {
  std::string digits(16, '0');
  for (std::size_t i = 16; i-- > 0; number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
  return digits;
}

std::string hex(const std::vector<std::uint8_t>& bytes) {
  if (bytes.empty()) return "none";
  std::string digits;
  for (const std::uint8_t byte : bytes) {
    digits += "0123456789abcdef"[byte >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  return digits;
}

base::Fault incompatible(const std::string& what, const std::string& ours, const std::string& theirs) {
  return {base::Fault::Kind::incompatible, 0,
          "the two processes differ in their " + what + ": " + ours + " here, " + theirs + " there"};
}

auto bytes_vector(Builder& builder, const std::vector<std::byte>& bytes) {
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

auto identity(Builder& builder, const Identity& from) {
  const auto build_id = builder.CreateVector(from.build_id);
  return schemas::CreateIdentity(builder, from.magic, from.layout_version, from.schema_hash, build_id);
}

/// Each build() gives the table of one message.
flatbuffers::Offset<schemas::Hello> build(Builder& builder, const Hello& hello) {
  flatbuffers::Offset<schemas::Initializer> initializer;
  if (hello.initializer) {
    const auto payload = bytes_vector(builder, hello.initializer->payload);
    initializer = schemas::CreateInitializer(builder, hello.initializer->function, hello.initializer->flags,
                                             hello.initializer->encoding, payload);
  }
  const auto name = builder.CreateString(hello.name);
  return schemas::CreateHello(builder, identity(builder, hello.identity), hello.worker_id, hello.parent_pid,
                              hello.nesting_depth, hello.parent_lane_bytes, hello.worker_lane_bytes,
                              hello.ring_lines, hello.black_box_bytes, hello.spin_ns_max, initializer, name,
                              hello.output, hello.ticks_per_us);
}

flatbuffers::Offset<schemas::Ready> build(Builder& builder, const Ready& ready) {
  return schemas::CreateReady(builder, identity(builder, ready.identity), ready.pid);
}

flatbuffers::Offset<schemas::StartError> build(Builder& builder, const StartError& error) {
  const auto phase = builder.CreateString(error.phase);
  const auto message = builder.CreateString(error.message);
  return schemas::CreateStartError(builder, phase, message, bytes_vector(builder, error.failure));
}

flatbuffers::Offset<schemas::Chunk> build(Builder& builder, const Chunk& chunk) {
  return schemas::CreateChunk(builder, chunk.id, chunk.bytes);
}

flatbuffers::Offset<schemas::ChunkRetired> build(Builder& builder, const ChunkRetired& chunk) {
  return schemas::CreateChunkRetired(builder, chunk.id);
}

flatbuffers::Offset<schemas::Goodbye> build(Builder& builder, const Goodbye&) {
  return schemas::CreateGoodbye(builder);
}

flatbuffers::Offset<schemas::Fork> build(Builder& builder, const Fork& fork) {
  return schemas::CreateFork(builder, fork.worker_id);
}

flatbuffers::Offset<schemas::Forked> build(Builder& builder, const Forked& forked) {
  return schemas::CreateForked(builder, forked.worker_id, forked.pid, forked.error);
}

flatbuffers::Offset<schemas::Descriptors> build(Builder& builder, const Descriptors& descriptors) {
  return schemas::CreateDescriptors(builder, descriptors.first, descriptors.count);
}

flatbuffers::Offset<schemas::Asking> build(Builder& builder, const Asking&) {
  return schemas::CreateAsking(builder);
}

template <class Table>
void finish(Builder& builder, flatbuffers::Offset<Table> body) {
  constexpr schemas::Body kType = schemas::BodyTraits<Table>::enum_value;
  schemas::FinishControlBuffer(builder, schemas::CreateControl(builder, kType, body.Union()));
}

/// Each read() is the other way; false if a part is missing that encode() always writes.
bool read(const schemas::Identity* from, Identity& to) {
  if (from == nullptr) return false;
  to.magic = from->magic();
  to.layout_version = from->layout_version();
  to.schema_hash = from->schema_hash();
  to.build_id = to_vector<std::uint8_t>(from->build_id());
  return to.build_id.size() <= kBuildIdBytesMax;
}

bool read(const schemas::Hello& from, Hello& to) {
  to.worker_id = from.worker_id();
  to.parent_pid = from.parent_pid();
  to.nesting_depth = from.nesting_depth();
  to.parent_lane_bytes = from.parent_lane_bytes();
  to.worker_lane_bytes = from.worker_lane_bytes();
  to.ring_lines = from.ring_lines();
  to.black_box_bytes = from.black_box_bytes();
  to.spin_ns_max = from.spin_ns_max();
  if (const auto* const first = from.initializer()) {
    to.initializer = {first->function(), first->flags(), first->encoding(),
                      to_vector<std::byte>(first->payload())};
  }
  to.name = to_string(from.name());
  to.output = from.output();
  to.ticks_per_us = from.ticks_per_us();
  return read(from.identity(), to.identity);
}

bool read(const schemas::Ready& from, Ready& to) {
  to.pid = from.pid();
  return read(from.identity(), to.identity);
}

bool read(const schemas::StartError& from, StartError& to) {
  to.phase = to_string(from.phase());
  to.message = to_string(from.message());
  to.failure = to_vector<std::byte>(from.failure());
  return true;
}

bool read(const schemas::Chunk& from, Chunk& to) {
  to = {from.id(), from.bytes()};
  return true;
}

bool read(const schemas::ChunkRetired& from, ChunkRetired& to) {
  to = {from.id()};
  return true;
}

bool read(const schemas::Goodbye&, Goodbye&) { return true; }

bool read(const schemas::Fork& from, Fork& to) {
  to = {from.worker_id()};
  return true;
}

bool read(const schemas::Forked& from, Forked& to) {
  to = {from.worker_id(), from.pid(), from.error()};
  return true;
}

bool read(const schemas::Descriptors& from, Descriptors& to) {
  to = {from.first(), from.count()};
  return true;
}

bool read(const schemas::Asking&, Asking&) { return true; }

template <class Message, class Table>
base::Result<ControlMessage> message_from(const Table* table) {
  Message message;
  if (table == nullptr || !read(*table, message))
    return base::Fault::violation("a control message lacks a part");
  return ControlMessage{std::move(message)};
}

}  // namespace

std::uint64_t schema_hash() noexcept { return kSchemaHash; }

base::Result<void> check_compatible(const Identity& ours, const Identity& theirs, bool same_build) {
  if (theirs.magic != ours.magic) return incompatible("magic", hex(ours.magic), hex(theirs.magic));
  if (theirs.layout_version != ours.layout_version) {
    return incompatible("lane layout", "version " + std::to_string(ours.layout_version),
                        "version " + std::to_string(theirs.layout_version));
  }
  if (theirs.schema_hash != ours.schema_hash) {
    return incompatible("schemas", hex(ours.schema_hash), hex(theirs.schema_hash));
  }
  if (same_build && theirs.build_id != ours.build_id) {
    return incompatible("builds", "build id " + hex(ours.build_id), hex(theirs.build_id));
  }
  return {};
}

std::vector<std::byte> encode(const ControlMessage& message) {
  Builder builder;
  std::visit([&](const auto& held) { finish(builder, build(builder, held)); }, message);
  return take_bytes(builder);
}

base::Result<ControlMessage> decode_control(std::span<const std::byte> bytes) {
  if (bytes.size() > kControlBytesMax)
    return base::Fault::violation("a control message is longer than any may be");
  const PrivateCopy copy{bytes};
  const auto* const control = copy.root<schemas::Control>(schemas::ControlIdentifier());
  if (control == nullptr) return base::Fault::violation("a control message is no valid Control table");
  switch (control->body_type()) {
    case schemas::Body::Hello:
      return message_from<Hello>(control->body_as_Hello());
    case schemas::Body::Ready:
      return message_from<Ready>(control->body_as_Ready());
    case schemas::Body::StartError:
      return message_from<StartError>(control->body_as_StartError());
    case schemas::Body::Chunk:
      return message_from<Chunk>(control->body_as_Chunk());
    case schemas::Body::ChunkRetired:
      return message_from<ChunkRetired>(control->body_as_ChunkRetired());
    case schemas::Body::Goodbye:
      return message_from<Goodbye>(control->body_as_Goodbye());
    case schemas::Body::Fork:
      return message_from<Fork>(control->body_as_Fork());
    case schemas::Body::Forked:
      return message_from<Forked>(control->body_as_Forked());
    case schemas::Body::Descriptors:
      return message_from<Descriptors>(control->body_as_Descriptors());
    case schemas::Body::Asking:
      return message_from<Asking>(control->body_as_Asking());
    case schemas::Body::NONE:
      break;
  }
  return base::Fault::violation("a control message of no known kind");
}

}  // namespace weft::wire
