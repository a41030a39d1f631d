#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace weft::wire {

// The messages of the control socket, one a datagram (schemas/control.fbs says what each is for).

inline constexpr std::uint64_t kControlMagic = 0x314c'5443'5446'4557;  // "WEFTCTL1", little-endian

/// The number that stands for all schemas of this build.
std::uint64_t schema_hash() noexcept;

/// Who speaks, and which wire.
struct Identity {
  std::uint64_t magic = kControlMagic;
  std::uint32_t layout_version = 0;  ///< ring::kLayoutVersion
  std::uint64_t schema_hash = wire::schema_hash();
  std::vector<std::uint8_t> build_id;
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// A Fault of the kind `incompatible` that names both sides, if the two cannot understand each other. Build ids are
/// compared if `same_build` says so: a worker may be another binary, and then knows named tasks alone.
base::Result<void> check_compatible(const Identity& ours, const Identity& theirs, bool same_build);

/// A task that the worker runs before it says that it is ready.
struct Initializer {
  std::uint64_t function = 0;
  std::uint16_t flags = 0;    ///< as in FrameHeader
  std::uint8_t encoding = 0;  ///< weft::Encoding
  std::vector<std::byte> payload;
  friend bool operator==(const Initializer&, const Initializer&) = default;
};

/// Parent to worker, first.
struct Hello {
  Identity identity;
  std::uint64_t worker_id = 0;
  std::uint32_t parent_pid = 0;
  std::uint32_t nesting_depth = 0;      ///< workers above this one, itself included
  std::uint64_t parent_lane_bytes = 0;  ///< of the lane that the parent writes
  std::uint64_t worker_lane_bytes = 0;  ///< of the one that the parent has reserved for it
  std::uint32_t ring_lines = 0;
  std::uint32_t black_box_bytes = 0;
  std::uint64_t spin_ns_max = 0;
  std::optional<Initializer> initializer;
  std::string name;                ///< for people
  std::uint8_t output = 0;         ///< weft::Output
  std::uint64_t ticks_per_us = 0;  ///< base::ticks_per_us() of the parent
  friend bool operator==(const Hello&, const Hello&) = default;
};

/// Worker to parent, when it takes tasks.
struct Ready {
  Identity identity;
  std::uint32_t pid = 0;
  friend bool operator==(const Ready&, const Ready&) = default;
};

/// Worker to parent instead of Ready.
struct StartError {
  std::string phase;               ///< what it was at: "handshake", "initializer"
  std::string message;             //
  std::vector<std::byte> failure;  ///< a Failure table (failure.hpp), where an exception is the cause
  friend bool operator==(const StartError&, const StartError&) = default;
};

/// Either way: the descriptor beside this is a chunk of the sender's arena.
struct Chunk {
  std::uint32_t id = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

/// Either way: the sender has given the chunk up and the receiver can unmap it.
struct ChunkRetired {
  std::uint32_t id = 0;
  friend bool operator==(const ChunkRetired&, const ChunkRetired&) = default;
};

/// Either way: the descriptors beside this are named by the next frame.
struct Descriptors {
  std::uint64_t first = 0;  ///< the number of the first; they count on from 1
  std::uint32_t count = 0;
  friend bool operator==(const Descriptors&, const Descriptors&) = default;
};

/// Parent to worker: finish what has begun, then exit.
struct Goodbye {
  friend bool operator==(const Goodbye&, const Goodbye&) = default;
};

/// Parent to zygote: a copy of itself shall become a worker, with the descriptors beside this.
struct Fork {
  std::uint64_t worker_id = 0;
  friend bool operator==(const Fork&, const Fork&) = default;
};

/// Zygote to parent: the answer.
struct Forked {
  std::uint64_t worker_id = 0;
  std::uint32_t pid = 0;   ///< 0: there is none
  std::int32_t error = 0;  ///< why
  friend bool operator==(const Forked&, const Forked&) = default;
};

/// Worker to parent: its ring is to be read even when it has no task, since its own workers ask for what lives further up.
struct Asking {
  friend bool operator==(const Asking&, const Asking&) = default;
};

using ControlMessage =
    std::variant<Hello, Ready, StartError, Chunk, ChunkRetired, Goodbye, Fork, Forked, Descriptors, Asking>;

/// decode_control() looks at nothing longer. The kernel refuses datagrams that are longer than the socket's send
/// buffer, 208 KiB where nobody has changed it.
inline constexpr std::size_t kControlBytesMax = 1024 * 1024;

std::vector<std::byte> encode(const ControlMessage& message);

/// Faults: violation. Of an Identity nothing is checked here: check_compatible() says it better.
base::Result<ControlMessage> decode_control(std::span<const std::byte> bytes);

}  // namespace weft::wire
