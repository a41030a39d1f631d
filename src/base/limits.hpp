#pragma once
// Every bound of the system, on one page, with its unit and its reason.

#include <cstddef>
#include <cstdint>

namespace weft::base {

// Waiting.

/// The longest that a waiter spins before it sleeps. About the price of two sleeps and wakes: spinning longer than
/// sleeping costs can only lose (competitive spinning).
inline constexpr std::uint64_t kSpinNsMax = 50'000;
/// The shortest, where spinning has not been worth it lately; enough to notice when it is again.
inline constexpr std::uint64_t kSpinNsMin = 2'000;
/// The longest where there are as many workers as cores: somebody else could use the core.
inline constexpr std::uint64_t kSpinNsCrowded = 5'000;
/// After so much of a spin each further look is preceded by sched_yield: two spinners on one core cost 8 ms a round
/// trip without it.
inline constexpr std::uint64_t kSpinAloneUs = 3;

/// Descriptors that a peer was sent and whose frames it has not read yet; half as many in one value.
inline constexpr std::size_t kDescriptorsUnderWayMax = 128;

/// How long a thread that is never at rest lets its fibers' descriptors be, between looks of half a microsecond; and how long
/// one that busy polls puts off what it does at rest.
inline constexpr std::uint64_t kGlanceUs = 100;

/// A reply that nobody has read for so long is worth a wake-up of somebody who had not asked for one.
inline constexpr std::uint64_t kReplyOldUs = 20;
/// Whoever looks for a reply reads it within so long; it is less than a wake-up costs those who ring, wake and are in the way.
inline constexpr std::uint64_t kUnreadUs = 1;
/// What kReplyOldUs is where whoever waits takes a core from a worker by it (Mode::patient). It is looked so often, and so
/// rung when they are up to twice as old: before kWindowCrowdedNs are done, so that there is work left while he waits for it.
inline constexpr std::uint64_t kReplyOldPatientUs = 150;
/// How long a worker naps when its ring is full, between looks: a whole ring of replies waits, so latency is no matter.
inline constexpr std::uint64_t kFullRingNapNs = 100'000;
/// How long a pool that is destroyed waits for those of its threads to end that have nothing to do: some 0.1 ms, but for a
/// task that nobody waits for any more, which still runs.
inline constexpr std::uint64_t kThreadEndNs = 100'000'000;

// Rings.

/// Lines of each ring: 1024 x 64 B = 64 KiB. Twice as many do not go faster, and take 40 us more of a worker's start.
inline constexpr std::uint32_t kRingLines = 1024;
/// The longest payload that travels inside its frame; longer ones lie in a block of the sender's arena.
inline constexpr std::uint32_t kInlineBytesMax = 1024;

/// Released blocks are told to their owner in batches of so many, or when there is nothing else to do.
inline constexpr std::uint32_t kReturnsBatch = 4;

// Workers.

/// A worker that closes its control socket is about to end; one that is still there so much later is not.
inline constexpr std::uint64_t kEndNsMax = 1'000'000'000;
/// Five starts that fail within so long open the circuit, for so long.
inline constexpr std::uint64_t kCircuitWindowNs = 10'000'000'000;
/// Frames in flight to one worker at the most.
inline constexpr std::uint32_t kWindowMax = 512;
/// So much work is handed to a worker in advance; a task longer than this travels alone.
inline constexpr std::uint64_t kWindowNs = 100'000;
/// The same where the workers use all cores: then whoever hands out has to wait for one first.
inline constexpr std::uint64_t kWindowCrowdedNs = 400'000;
/// A worker with less work in hand than this gets more before another is woken, which takes about as long.
inline constexpr std::uint64_t kWorthWakingNs = 20'000;
/// A worker that has answered nothing for so long while others are idle is in a long task: the rest goes to those.
inline constexpr std::uint64_t kStuckNs = 1'000'000;
/// So long, at the least, it is watched how much of the cores' time is used: the kernel brings its count of what runs up to
/// date with each tick, of up to 4 ms.
inline constexpr std::uint64_t kCoresLookNs = 30'000'000;
/// So often the memory of workers is looked at that have had tasks, where it is limited (PoolOptions::worker_memory_bytes).
inline constexpr std::uint64_t kMemoryLookNs = 1'000'000'000;
/// So much work goes into one task of a map.
inline constexpr std::uint64_t kBatchNs = 500'000;
/// Stack of a fiber that runs tasks.
inline constexpr std::size_t kTaskStackBytes = 1024 * 1024;

// Channels to other processes.

/// Values that each direction holds between its sender and its receiver: enough that neither waits for the other's
/// credit while both are awake (a round trip is some 10 values), and at 1 KiB each little beside a ring.
inline constexpr std::uint64_t kChannelCredit = 64;
/// Channels of one task at the most. A worker cannot make its parent hold more than these times the credit.
inline constexpr std::size_t kChannelsPerCallMax = 256;
/// A task's progress is told so often at the most.
inline constexpr std::uint64_t kProgressUs = 100;

// Shared objects.

/// Asks of one worker that wait for their answers, or locks that it holds: bounds what a worker that runs wild can
/// make its parent remember.
inline constexpr std::size_t kAsksMax = 16384;
/// The longest key: it travels inside a frame.
inline constexpr std::size_t kKeyBytesMax = kInlineBytesMax;

// Output.

/// So much of what a worker printed last is kept for its errors: a pipe full.
inline constexpr std::size_t kOutputKeptBytes = 64U << 10;
/// A line of more bytes is written on in pieces: nobody prints lines of that length for people to read.
inline constexpr std::size_t kOutputLineBytesMax = 64U << 10;

// Shared memory.

/// The largest region; beyond what any machine holds, and far from where adding offsets could overflow.
inline constexpr std::uint64_t kRegionBytesMax = std::uint64_t{1} << 46;
/// A region of this size or more is refused if it would leave the machine less than kMemoryReserveBytes: the kernel
/// would rather kill somebody than fail the call. Smaller ones are not worth reading /proc/meminfo for.
inline constexpr std::uint64_t kRegionAskFirstBytes = 16U << 20;
inline constexpr std::uint64_t kMemoryReserveBytes = 64U << 20;
/// Blocks up to this size share chunks with others of their size class; larger ones have a chunk of their own.
inline constexpr std::uint64_t kSharedBlockBytesMax = 64U << 20;
/// The first chunk of a size class (if a block fits), so that a process that sends little reserves little.
inline constexpr std::uint64_t kChunkBytesMin = 64U << 10;
/// Where the chunks of a size class stop growing; it bounds descriptors (one a chunk, here and in each peer).
inline constexpr std::uint64_t kChunkBytesMax = 64U << 20;
/// Empty chunks that an arena keeps warm, in bytes: first touch of a page costs 10 times what its reuse does.
inline constexpr std::uint64_t kWarmBytesMax = 256U << 20;

/// But no more than one part in so many of what a control group or RLIMIT_AS leaves the process: the rest of the
/// program, and the other processes of the group, each with an arena of its own, need memory too.
inline constexpr std::uint64_t kWarmShare = 8;
/// Chunks of one peer that are mapped at a time. Linux allows a process 65,530 mappings.
inline constexpr std::size_t kPeerChunksMax = 8192;

}  // namespace weft::base
