#pragma once
// What a worker was doing and how it ended, in memory that the worker alone writes and its parent reads. It
// survives the worker, since the parent has it mapped (read-only).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.hpp"

namespace weft::process {

inline constexpr std::size_t kBlackBoxBytes = 16 * 1024;
inline constexpr std::uint32_t kBlackBoxMagic = 0x78626677;  // "wfbx"
inline constexpr std::uint32_t kBlackBoxVersion = 1;
inline constexpr std::size_t kCrashFramesMax = 256;
inline constexpr std::size_t kCrashMappingsMax = 64;
inline constexpr std::size_t kCrashPathsBytes = 6144;
inline constexpr std::size_t kExceptionTypeBytes = 512;
inline constexpr std::size_t kExceptionMessageBytes = 4096;
inline constexpr std::size_t kNoteBytes = 1020;

/// How much of a crash has been recorded: each stage is published when it is whole, so a worker that dies
/// while it records leaves the stages before.
enum CrashStage : std::uint32_t {
  kNoCrash = 0,
  kCrashSeen = 1,    ///< signal, code, address, thread, pc; frame 0 and its mapping
  kCrashTraced = 2,  ///< all frames and their mappings
};

/// An executable mapping of a file, so that the parent finds the function that an address belongs to.
struct BlackBoxMapping {
  std::uint64_t begin;
  std::uint64_t end;
  std::uint64_t file_offset;
  std::uint32_t path_at;     ///< in `paths`
  std::uint32_t path_bytes;  ///< without a terminator
};
static_assert(sizeof(BlackBoxMapping) == 32);

/// The area. Writer: the worker (any of its threads; each part says which). Readers: the parent, through
/// read_crash_record() alone, which trusts none of it.
struct alignas(64) BlackBox {
  // Written once, before the lane is handed over.
  std::uint32_t magic;
  std::uint32_t version;
  std::uint32_t bytes;
  std::int32_t pid;

  // Written by the reactor's thread whenever it goes on with another task; on a line of its own since it is
  // written often and read hardly ever. Each field is whole, the three together need not fit.
  struct alignas(64) Activity {
    std::atomic<std::uint64_t> function;  ///< code id; 0: no task
    std::atomic<std::uint64_t> task;      ///< whatever the link knows the task by
    std::atomic<std::uint64_t> flags;     ///< of whoever knows the task: what `function` is an id of
  } activity;

  // Written in the handler of a crash signal, by the first thread that crashes.
  struct alignas(64) Crash {
    std::atomic<std::uint32_t> stage;          ///< CrashStage; published after what it vouches for
    std::atomic<std::uint32_t> frame_count;    ///< of `frames`; published as above
    std::atomic<std::uint32_t> mapping_count;  ///< of `mappings`; published as above
    std::int32_t signal;
    std::int32_t code;    ///< si_code
    std::int32_t thread;  ///< tid
    std::uint64_t address;
    std::uint64_t stack_pointer;
    std::uint64_t frames[kCrashFramesMax];  ///< program counters, the innermost first
    BlackBoxMapping mappings[kCrashMappingsMax];
    char paths[kCrashPathsBytes];
  } crash;

  // Written by the first thread that calls std::terminate.
  struct Exception {
    std::atomic<std::uint32_t> committed;  ///< 1 once the rest is whole
    std::uint32_t type_bytes;
    std::uint32_t message_bytes;
    std::uint32_t reserved;
    char type[kExceptionTypeBytes];
    char message[kExceptionMessageBytes];
  } exception;

  // Written by note(), by one thread at a time.
  struct Note {
    std::atomic<std::uint32_t> bytes;  ///< 0: no note; published after the text
    char text[kNoteBytes];
  } note;

  std::byte reserved[256];
};
static_assert(sizeof(BlackBox) == kBlackBoxBytes);
static_assert(offsetof(BlackBox, activity) == 64);
static_assert(offsetof(BlackBox, crash) == 128);
static_assert(offsetof(BlackBox, exception) == 10432);
static_assert(offsetof(BlackBox, note) == 15056);
static_assert(offsetof(BlackBox, crash.frames) == 168 && offsetof(BlackBox, crash.mappings) == 2216 &&
              offsetof(BlackBox, crash.paths) == 4264);
static_assert(offsetof(BlackBox, exception.type) == 10448 && offsetof(BlackBox, exception.message) == 10960);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free &&
              std::atomic<std::uint64_t>::is_always_lock_free);

// --- the worker's side ---

/// Makes an empty black box in `area`: zeroed, 64-byte aligned, kBlackBoxBytes long, and it outlives the
/// process's use of it.
BlackBox* make_black_box(std::span<std::byte> area);

/// Takes SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS and SIGTRAP, and std::terminate, for this process:
/// what happened is recorded in `box`, then the process dies of the same signal as it would have. Works when
/// a thread's or a fiber's stack has overflowed, on the calling thread; other threads need an AlternateStack
/// for that. Threads: once, in a worker process only - a host program's signals are its own. Faults:
/// exhausted, system.
base::Result<void> install_crash_handlers(BlackBox* box);

/// What a signal handler must not do, and the first trace of a process does: loads the unwinder. After
/// install_crash_handlers() and before anything may crash.
void load_unwinder() noexcept;

/// In the copy of a process that has crash handlers: what happens here is recorded in `box` from now on.
void change_black_box(BlackBox* box) noexcept;

/// A stack for the handlers of crash signals, for the thread that constructs it and until it destroys it
/// there; install_crash_handlers() brings one for the thread that calls it.
class AlternateStack {
 public:
  AlternateStack() noexcept;
  ~AlternateStack();
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;
  /// False if there was no memory for one: crashes by stack overflow on this thread then leave no record.
  [[nodiscard]] explicit operator bool() const noexcept { return mapped_ != nullptr; }

 private:
  void* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
};

/// Says what the calling thread goes on with. Three plain stores.
inline void set_activity(BlackBox& box, std::uint64_t function, std::uint64_t task,
                         std::uint64_t flags) noexcept {
  // Relaxed: read only after the process has ended, and the kernel's word of that comes after everything.
  box.activity.function.store(function, std::memory_order_relaxed);
  box.activity.task.store(task, std::memory_order_relaxed);
  box.activity.flags.store(flags, std::memory_order_relaxed);
}

/// Leaves a text for the parent, cut to kNoteBytes; replaces an earlier one. Async-signal-safe.
void note(BlackBox& box, std::string_view text) noexcept;

}  // namespace weft::process
