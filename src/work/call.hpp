#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>
#include <weft/buffer.hpp>
#include <weft/codec.hpp>
#include <weft/error.hpp>
#include <weft/task_options.hpp>
#include <weft/task_times.hpp>

#include "base/atomic.hpp"
#include "base/bytes.hpp"
#include "fiber/reactor.hpp"
#include "wire/frame.hpp"
#include "work/attendant.hpp"

namespace weft::work {

class Peer;
class PoolCore;
class Hearing;
struct Share;
struct Talk;
struct Watcher;

/// Where a call stands. Written under the pool's lock.
enum class Phase : std::uint8_t {
  free,     ///< in the table's free list
  queued,   ///< waits in the pool's queue, its arguments in the call
  sent,     ///< in a worker's ring; may have begun
  running,  ///< on the thread that submitted it (WorkerKind::caller)
  settled,  ///< has its value or failure
};

/// How a settled call ended.
enum class Ending : std::uint8_t {
  value,      ///< encoding and payload are the value
  failure,    ///< the payload is a Failure table: the task's own exception, or why it could not run
  exception,  ///< `exception` says it: something that happened on this side (crash, cancel, closed)
};

/// Runs once, in the order of registration, on the thread that settles the call, outside the pool's lock.
struct Continuation {
  const void* owner;  ///< who may take it back; nullptr: nobody
  std::function<void()> step;
};

/// The TaskOptions of a call, in ns of CLOCK_MONOTONIC; 0 for none.
struct Terms {
  std::uint64_t deadline_ns = 0;
  std::uint64_t start_within_ns = 0;
  std::uint64_t stop_after_ns = 0;
  std::uint64_t run_limit_ns = 0;
  std::uint32_t retries = 0;
  std::uint32_t deaths = 0;                      ///< of workers that ran it
  std::optional<TimeLimit> late = std::nullopt;  ///< it was asked to stop because of this one
  std::uint64_t serial = 0;
  std::uint64_t start_by_ns = 0;
  bool start_missed = false;  ///< start_within has passed, and it was too late to tell whether it had begun
  std::uint64_t began_ns = 0;
  std::uint64_t submitted_ns = 0;  ///< where times are measured
  bool is_measured = false;        ///< TaskOptions::measure_times
  Attendant::Timer timer = {};
  Share* share = nullptr;    ///< the view of the pool that it was submitted to; nullptr: the pool itself
  bool has_place = false;    ///< it is among those that its share may have with workers
  std::uint64_t worker = 0;  ///< the only one that may run it; 0: any
};
/// What is known of a call whose times are measured; 0 what is not known. Holds where Terms::submitted_ns is not 0.
struct Measured {
  std::uint64_t task = 0;       ///< its number in this process, where it is observed
  std::uint64_t sent_ns = 0;    ///< a worker has it
  std::uint64_t handed_ns = 0;  ///< it became the first of those that its worker has
  std::uint64_t begun_ns = 0;   ///< as the worker says, within what can be
  std::uint64_t ended_ns = 0;
  std::uint64_t settled_ns = 0;
  std::uint64_t worker = 0;
  std::int64_t pid = 0;

  [[nodiscard]] TaskTimes times(const Terms& terms) const noexcept;
};

/// Of two times, of which 0 is none.
std::uint64_t sooner(std::uint64_t one, std::uint64_t other) noexcept;
/// Throws ArgumentError.
Terms terms_of(const TaskOptions& options);

/// What a call has beside its line when it needs it: big payloads, blocks, continuations.
struct CallExtra {
  std::unique_ptr<std::byte[]> bytes;
  std::size_t capacity = 0;
  const std::byte* copied = nullptr;  ///< the block that `bytes` are a private copy of, if they are one
  std::vector<Buffer> attachments;
  std::exception_ptr exception;
  std::string reason;                      ///< of cancel()
  std::vector<wire::BlockReference> lent;  ///< what the frame that was read back names
  Terms terms;
  Measured measured;
  std::string output;  ///< what the task printed, with Output::capture
  std::vector<Continuation> continuations;
  std::shared_ptr<Hearing> hearing;         ///< of its failure, where there are callbacks
  std::stop_source stop{std::nostopstate};  ///< while Phase::running
  std::stop_token heeded;                   ///< TaskOptions::stop, until it is settled
  std::shared_ptr<void> stop_callback;      ///< of that; not let go of under the lock
  Watcher* watchers = nullptr;              ///< of Gatherings that wait for the call among others; linked
  std::shared_ptr<Talk> talk;               ///< what the task and its submitter say to each other meanwhile
};

/// What a frame of one line has room for beside its header.
inline constexpr std::size_t kShortBytes = base::kLineBytes - sizeof(wire::FrameHeader);
/// Copies kShortBytes, word by word: no load of a value then waits for narrower stores.
inline void copy_short(std::byte* to, const std::byte* from) noexcept {
  for (std::size_t at = 0; at < kShortBytes; at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, sizeof word);
    std::memcpy(to + at, &word, sizeof word);
  }
}

/// The same for a payload of any length, into room for kShortBytes at least.
inline void copy_payload(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  if (bytes <= kShortBytes) [[likely]]
    return copy_short(to, from);
  std::memcpy(to, from, bytes);
}

/// What a call has beside its line, and an empty task does not touch.
struct CallRest {
  std::unique_ptr<CallExtra> extra;  ///< stays with the slot, warm, between its calls
  std::byte inline_bytes[kShortBytes];
};
static_assert(sizeof(CallRest) == 32);

/// One submitted task, from submit to the end of its Execution. A cache line; its CallRest lies apart, so that of a queue of
/// millions each takes 96 bytes.
///
/// Owner: its pool's CallTable; kept by the Execution handle and, until it is settled, by the pool.
/// Threads: `state` any; the rest under the pool's lock until settled, then the handle's alone.
struct alignas(64) Call {
  base::Atomic<std::uint8_t> state{0};  ///< kSettled once the result may be read
  Phase phase = Phase::free;
  Ending ending = Ending::value;
  Encoding encoding = Encoding::nothing;
  std::uint32_t bytes = 0;            ///< of the payload: arguments while queued, result once settled
  bool abandoned : 1 = false;         ///< the Execution is gone: free at settling
  bool waited_for : 1 = false;        ///< somebody sleeps until it settles: CallTable has the waker
  bool has_continuation : 1 = false;  ///< extra()->continuations wait for the settling
  bool continuing : 1 = false;        ///< they run just now: the call must stay
  bool watched : 1 = false;           ///< extra()->watchers want to know, or extra()->talk
  bool timed : 1 = false;             ///< extra()->terms hold
  bool stop_asked : 1 = false;        ///< cancel() came when it had begun, or might have
  bool has_extra : 1 = false;         ///< extra() is used by this call
  Priority priority : 4 = Priority::normal;
  bool withdrawn : 1 =
      false;  ///< its frame was, too late to know whether it runs: the arguments are kept here
  std::uint16_t flags = 0;
  std::uint32_t waker = 0;  ///< while waited_for, where the table has it
  /// Its slot in the table, and above that which use of the slot it is. One word: two halves that were stored one by
  /// one could not be read together without waiting for both to reach the cache.
  std::uint64_t id = 0;
  std::uint64_t function = 0;
  std::uint64_t position = 0;  ///< of its frame in the worker's ring, while sent
  Peer* peer = nullptr;        ///< while sent
  Call* next = nullptr;        ///< in the free list, the queue or the worker's list of sent calls
  Call* previous = nullptr;

  static constexpr std::uint8_t kSettled = 1;

  [[nodiscard]] std::uint32_t slot() const noexcept { return static_cast<std::uint32_t>(id); }
  [[nodiscard]] std::uint32_t generation() const noexcept { return static_cast<std::uint32_t>(id >> 32); }
  void next_generation() noexcept { id += std::uint64_t{1} << 32; }
  /// What the table gave out becomes a call of this task.
  void begin(std::uint64_t task, Encoding with, std::uint16_t its_flags) noexcept {
    // Relaxed: nobody but this thread knows the call yet.
    state.store(0, base::relaxed);
    ending = Ending::value;
    encoding = with;
    // All of them, which is one store.
    abandoned = waited_for = has_continuation = continuing = watched = timed = stop_asked = has_extra = false;
    priority = Priority::normal;
    withdrawn = false;
    flags = its_flags;
    function = task;
    peer = nullptr;
  }
  [[nodiscard]] bool settled() const noexcept {
    // SYNC call-settled: the ending and its payload.
    return state.load(base::acquire) == kSettled;
  }
  /// Its handle's from here on.
  void publish_settled() noexcept {
    // SYNC call-settled: the ending and its payload.
    state.store(kSettled, base::release);
  }
  [[nodiscard]] inline CallRest& rest() noexcept;
  [[nodiscard]] inline const CallRest& rest() const noexcept;
  [[nodiscard]] CallExtra* extra() const noexcept { return rest().extra.get(); }
  /// What is used so leaves nothing to be cleared (has_extra stays as it is): a buffer.
  [[nodiscard]] CallExtra& kept_extra() {
    if (!rest().extra) rest().extra = std::make_unique<CallExtra>();
    return *rest().extra;
  }
  [[nodiscard]] CallExtra& more() {
    CallExtra& all = kept_extra();
    has_extra = true;
    return all;
  }
  /// Copies a payload in: into the call itself if it fits, else into a buffer that later payloads reuse.
  void store(const std::byte* from, std::uint32_t size) {
    bytes = size;
    if (size == 0) return;
    std::memcpy(room_for(size), from, size);
  }
  /// The same of what comes right behind a frame's header; a short one with the rest of its line.
  void store_behind_header(std::span<const std::byte> body) {
    if (body.size() > kShortBytes) return store(body.data(), static_cast<std::uint32_t>(body.size()));
    bytes = static_cast<std::uint32_t>(body.size());
    copy_short(rest().inline_bytes, body.data());
  }
  [[nodiscard]] std::byte* room_for(std::uint32_t size) {
    if (size <= kShortBytes) return rest().inline_bytes;
    CallExtra& big = kept_extra();
    if (big.capacity < size) {
      big.bytes = std::make_unique_for_overwrite<std::byte[]>(size);
      big.capacity = size;
    }
    return big.bytes.get();
  }
  /// There is nothing to it but its value, and nobody waits for that but its handle.
  [[nodiscard]] bool is_plain() const noexcept {
    return !abandoned && !waited_for && !has_continuation && !continuing && !watched && !timed && !has_extra;
  }
  [[nodiscard]] bool is_pinned() const noexcept { return timed && extra()->terms.worker != 0; }
  [[nodiscard]] const std::byte* payload() const noexcept {
    return bytes <= kShortBytes ? rest().inline_bytes : extra()->bytes.get();
  }
};
static_assert(sizeof(Call) == 64);

/// As many calls as are made at once, in the order of their slots.
struct CallBlock {
  static constexpr std::uint32_t kCalls = 256;
  Call calls[kCalls];
  CallRest rests[kCalls];
};

inline CallRest& Call::rest() noexcept {
  const std::size_t index = slot() % CallBlock::kCalls;
  // The first of a block's calls stands where the block does.
  return reinterpret_cast<CallBlock*>(this - index)->rests[index];
}
inline const CallRest& Call::rest() const noexcept { return const_cast<Call*>(this)->rest(); }

/// A queue of calls, first in first out, linked through the calls themselves; removal from the middle is O(1).
class CallList {
 public:
  [[nodiscard]] bool empty() const noexcept { return front_ == nullptr; }
  [[nodiscard]] Call* front() const noexcept { return front_; }
  [[nodiscard]] Call* back() const noexcept { return back_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void push_back(Call& call) noexcept {
    call.next = nullptr;
    call.previous = back_;
    (back_ != nullptr ? back_->next : front_) = &call;
    back_ = &call;
    ++size_;
  }
  void push_front(Call& call) noexcept {
    call.previous = nullptr;
    call.next = front_;
    (front_ != nullptr ? front_->previous : back_) = &call;
    front_ = &call;
    ++size_;
  }
  void remove(Call& call) noexcept {
    (call.previous != nullptr ? call.previous->next : front_) = call.next;
    (call.next != nullptr ? call.next->previous : back_) = call.previous;
    --size_;
  }
  void clear() noexcept {
    front_ = back_ = nullptr;
    size_ = 0;
  }
  Call* pop_front() noexcept {
    Call* const call = front_;
    remove(*call);
    return call;
  }

 private:
  Call* front_ = nullptr;
  Call* back_ = nullptr;
  std::size_t size_ = 0;
};

/// The slot table: finds the call that a reply belongs to, by index and generation, and hands out slots without
/// allocating once it has grown to what is in use. Threads: under the pool's lock.
class CallTable {
 public:
  [[nodiscard]] Call& take() {
    if (free_ == nullptr) [[unlikely]]
      grow();
    Call& call = *free_;
    free_ = call.next;
    call.next_generation();
    ++in_use_;
    return call;
  }
  void give_back(Call& call) noexcept {
    if (call.has_extra) [[unlikely]]
      clear_extra(call);
    call.phase = Phase::free;
    call.next = free_;
    free_ = &call;
    --in_use_;
  }
  /// The sent call in `slot` of `generation`, or nullptr: then whoever named it is not to be trusted.
  [[nodiscard]] Call* find(std::uint32_t slot, std::uint32_t generation) noexcept {
    if (slot >= slots_) return nullptr;
    Call& call = at(slot);
    return call.generation() == generation && call.phase == Phase::sent ? &call : nullptr;
  }
  /// The call in `slot`, whatever it is at; nullptr if there is no such slot.
  [[nodiscard]] Call* in(std::uint32_t slot) noexcept { return slot < slots_ ? &at(slot) : nullptr; }
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }

  /// `by` is to be woken when `call` settles. Allocates where more sleep at once than ever before.
  void sleep_until_settled(Call& call, const fiber::Waker& by) {
    if (!call.waited_for) {
      if (free_wakers_.empty()) [[unlikely]]
        grow_wakers();
      call.waker = free_wakers_.back();
      free_wakers_.pop_back();
      call.waited_for = true;
    }
    wakers_[call.waker] = by;
  }
  /// Nobody is, any more; gives who was.
  fiber::Waker sleep_no_more(Call& call) noexcept {
    if (!call.waited_for) return {};
    call.waited_for = false;
    free_wakers_.push_back(call.waker);  // there is room for all
    return wakers_[call.waker];
  }

 private:
  [[nodiscard]] Call& at(std::uint32_t slot) noexcept {
    return blocks_[slot / CallBlock::kCalls]->calls[slot % CallBlock::kCalls];
  }
  void grow();
  void grow_wakers();
  static void clear_extra(Call& call) noexcept;
  std::vector<std::unique_ptr<CallBlock>> blocks_;
  std::uint32_t slots_ = 0;
  Call* free_ = nullptr;
  std::size_t in_use_ = 0;
  std::vector<fiber::Waker> wakers_;
  std::vector<std::uint32_t> free_wakers_;
};

}  // namespace weft::work
