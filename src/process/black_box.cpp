#include "process/black_box.hpp"

#include <cxxabi.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <typeinfo>

#include "base/bytes.hpp"
#include "process/maps.hpp"

namespace weft::process {

namespace {

using base::Fault;
using base::Result;

constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

/// Enough for the unwinder with the sanitizers' large frames; pages that are not touched cost nothing.
constexpr std::size_t kAlternateStackBytes = 256 * 1024;

/// How long the unwinder may take before the process is ended without its frames: it may have been
/// interrupted while it held a lock of its own.
constexpr int kUnwindSecondsMax = 10;

/// Frames of the handler itself that lie before the frame that crashed.
constexpr int kHandlerFramesMax = 32;

// All of this is private to the worker. `box` and `previous` are written once, before the handlers are
// installed.
BlackBox* box = nullptr;
std::terminate_handler previous = nullptr;
// The thread that records; the first one that crashes. Relaxed: only the exchange itself decides anything,
// and a thread that finds its own id wrote it itself.
std::atomic<pid_t> recording_thread{0};
std::atomic<int> recorded_signal{0};  // relaxed: written before a nested crash or the alarm can read it
std::atomic<bool> terminating{false};
void* unwound[kCrashFramesMax + kHandlerFramesMax];  // used by the recording thread alone

// --- the machine's registers ---

std::uint64_t program_counter(const ucontext_t& context) noexcept {
#if defined(__x86_64__)
  return static_cast<std::uint64_t>(context.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return context.uc_mcontext.pc;
#else
  static_cast<void>(context);
  return 0;
#endif
}

std::uint64_t stack_pointer(const ucontext_t& context) noexcept {
#if defined(__x86_64__)
  return static_cast<std::uint64_t>(context.uc_mcontext.gregs[REG_RSP]);
#elif defined(__aarch64__)
  return context.uc_mcontext.sp;
#else
  static_cast<void>(context);
  return 0;
#endif
}

/// After a call through a bad pointer the program counter lies in no function, and no unwinder gets past it.
/// The caller's address is still where the call put it: go back there, as the called function would have. The
/// unwinder takes its registers from `context`, so this is enough. False if that is not possible.
bool return_to_caller(ucontext_t& context) noexcept {
#if defined(__x86_64__)
  std::uint64_t target = 0;
  iovec local{&target, sizeof target};
  iovec remote{reinterpret_cast<void*>(stack_pointer(context)), sizeof target};
  // The kernel reads the stack for us: a bad stack pointer is then an error and not a second crash.
  if (::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) != sizeof target) return false;
  context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(target);
  context.uc_mcontext.gregs[REG_RSP] += static_cast<greg_t>(sizeof target);
  return true;
#elif defined(__aarch64__)
  context.uc_mcontext.pc = context.uc_mcontext.regs[30];
  return true;
#else
  static_cast<void>(context);
  return false;
#endif
}

// --- in the handler: async-signal-safe but for backtrace() ---

/// Lets the process die of `signal` as it would have without us, when the handler returns: the default action
/// is restored and the signal sent anew, which a trap or an abort needs, since neither would happen again by
/// itself.
void die_of(int signal, ucontext_t& context) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(signal, &action, nullptr);
  sigdelset(&context.uc_sigmask, signal);
  ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), signal);
}

void on_unwinder_stuck(int, siginfo_t*, void* context) {
  // Relaxed: the same thread has stored it.
  die_of(recorded_signal.load(std::memory_order_relaxed), *static_cast<ucontext_t*>(context));
}

void limit_unwinding() noexcept {
  struct sigaction action {};
  action.sa_sigaction = on_unwinder_stuck;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigaction(SIGALRM, &action, nullptr);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  const itimerval timer{{0, 0}, {kUnwindSecondsMax, 0}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

bool is_recorded(const BlackBox::Crash& crash, std::uint32_t mappings, std::uint64_t begin) noexcept {
  for (std::uint32_t index = 0; index < mappings; ++index) {
    if (crash.mappings[index].begin == begin) return true;
  }
  return false;
}

bool holds_a_frame(const BlackBox::Crash& crash, std::uint32_t frames, const Maps::Line& line) noexcept {
  for (std::uint32_t index = 0; index < frames; ++index) {
    if (crash.frames[index] >= line.begin && crash.frames[index] < line.end) return true;
  }
  return false;
}

/// Adds the executable mappings that the first `frames` frames lie in and that are not there yet. Only those:
/// a program may have hundreds of libraries. False if the mappings cannot be read (no /proc, or no descriptor
/// left).
bool record_mappings(BlackBox::Crash& crash, std::uint32_t frames) noexcept {
  // Relaxed: we alone write it.
  std::uint32_t count = crash.mapping_count.load(std::memory_order_relaxed);
  std::uint32_t path_at =
      count == 0 ? 0 : crash.mappings[count - 1].path_at + crash.mappings[count - 1].path_bytes;
  Maps maps;
  Maps::Line line;
  bool readable = false;
  while (count < kCrashMappingsMax && maps.next(line)) {
    readable = true;
    if (!line.executable || !holds_a_frame(crash, frames, line) || is_recorded(crash, count, line.begin))
      continue;
    // Without its path a mapping still tells that the address is code.
    const std::size_t path_bytes = line.path.size() <= kCrashPathsBytes - path_at ? line.path.size() : 0;
    std::memcpy(crash.paths + path_at, line.path.data(), path_bytes);
    crash.mappings[count++] = {line.begin, line.end, line.file_offset, path_at,
                               static_cast<std::uint32_t>(path_bytes)};
    path_at += static_cast<std::uint32_t>(path_bytes);
    // SYNC mapping: the entry and its path are whole.
    crash.mapping_count.store(count, std::memory_order_release);
  }
  return readable;
}

/// The frames from the one that crashed outwards. glibc's backtrace() begins in this handler and walks
/// through the signal's frame into what was interrupted, also from one stack to another.
void record_frames(BlackBox::Crash& crash, ucontext_t& context, bool in_code) noexcept {
  const ucontext_t as_it_was = context;
  std::uint64_t from = program_counter(context);
  if (!in_code && return_to_caller(context)) from = program_counter(context);
  const int count = ::backtrace(unwound, static_cast<int>(std::size(unwound)));
  context.uc_mcontext = as_it_was.uc_mcontext;

  void** const end = unwound + std::max(0, count);
  void** at = std::find(unwound, end, reinterpret_cast<void*>(from));
  std::uint32_t frames = 1;
  if (at != end && in_code) ++at;  // that is frame 0 itself, which is there already
  for (; at != end && frames < kCrashFramesMax; ++at)
    crash.frames[frames++] = reinterpret_cast<std::uint64_t>(*at);
  // SYNC frames: the frames are whole.
  crash.frame_count.store(frames, std::memory_order_release);
}

void record_crash(int signal, const siginfo_t& info, ucontext_t& context) noexcept {
  BlackBox::Crash& crash = box->crash;
  crash.signal = signal;
  crash.code = info.si_code;
  crash.thread = static_cast<std::int32_t>(::syscall(SYS_gettid));
  crash.address = reinterpret_cast<std::uint64_t>(info.si_addr);
  crash.stack_pointer = stack_pointer(context);
  crash.frames[0] = program_counter(context);
  // SYNC frames: frame 0 is whole.
  crash.frame_count.store(1, std::memory_order_release);
  const bool readable = record_mappings(crash, 1);
  // Relaxed: we alone write it.
  const bool in_code = !readable || crash.mapping_count.load(std::memory_order_relaxed) != 0;
  // SYNC crash: everything down to the stack pointer is whole.
  crash.stage.store(kCrashSeen, std::memory_order_release);

  limit_unwinding();
  record_frames(crash, context, in_code);
  // Relaxed: we alone write it.
  record_mappings(crash, crash.frame_count.load(std::memory_order_relaxed));
  // SYNC crash: and so are the frames and their mappings.
  crash.stage.store(kCrashTraced, std::memory_order_release);
}

void on_crash(int signal, siginfo_t* info, void* raw_context) {
  auto& context = *static_cast<ucontext_t*>(raw_context);
  const auto self = static_cast<pid_t>(::syscall(SYS_gettid));
  pid_t nobody = 0;
  // Relaxed: it decides who records; nothing is read by it, and the signal's number by the same thread alone.
  if (!recording_thread.compare_exchange_strong(nobody, self, std::memory_order_relaxed)) {
    // Another thread is recording and will end the process: if we went on, we might end it before it is done.
    if (nobody != self) {
      for (;;) ::pause();
    }
    // Recording crashed itself, in the unwinder most likely: what has been published stays.
    die_of(recorded_signal.load(std::memory_order_relaxed), context);
    return;
  }
  // Relaxed: read by this thread alone.
  recorded_signal.store(signal, std::memory_order_relaxed);
  record_crash(signal, *info, context);
  die_of(signal, context);
}

// --- std::terminate ---

std::uint32_t put_text(char* to, std::size_t capacity, const char* text) noexcept {
  const std::size_t length = ::strnlen(text, capacity);
  std::memcpy(to, text, length);
  return static_cast<std::uint32_t>(length);
}

void record_exception(BlackBox::Exception& record) noexcept {
  if (const std::type_info* type = abi::__cxa_current_exception_type()) {
    int status = 0;
    char* const readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
    record.type_bytes =
        put_text(record.type, sizeof record.type, readable == nullptr ? type->name() : readable);
    std::free(readable);
    const auto put_message = [&record](const char* text) {
      record.message_bytes = put_text(record.message, sizeof record.message, text);
    };
    try {
      throw;
    } catch (const std::exception& error) {
      put_message(error.what());
    } catch (const std::string& text) {
      put_message(text.c_str());
    } catch (const char* text) {
      put_message(text);
    } catch (...) {  // Its type says all that there is to say.
    }
  }
  // SYNC exception: type and message are whole.
  record.committed.store(1, std::memory_order_release);
}

[[noreturn]] void on_terminate() {
  // Relaxed: it decides who records, and nothing is read by it.
  if (!terminating.exchange(true, std::memory_order_relaxed)) record_exception(box->exception);
  if (previous != nullptr) previous();  // The standard one prints what it is about, and aborts.
  std::abort();
}

}  // namespace

BlackBox* make_black_box(std::span<std::byte> area) {
  WEFT_CHECK(area.size() >= kBlackBoxBytes, "a black box needs kBlackBoxBytes");
  WEFT_CHECK(reinterpret_cast<std::uintptr_t>(area.data()) % alignof(BlackBox) == 0,
             "a black box begins on a line");
  auto* const made = new (area.data()) BlackBox;  // leaves the zeroes as they are
  made->magic = kBlackBoxMagic;
  made->version = kBlackBoxVersion;
  made->bytes = kBlackBoxBytes;
  made->pid = ::getpid();
  return made;
}

Result<void> install_crash_handlers(BlackBox* black_box) {
  WEFT_CHECK(box == nullptr, "crash handlers are installed once a process");
  // For the life of the process: the thread may crash while static objects are destroyed.
  static const auto* const stack = new AlternateStack;
  if (!*stack)
    return Fault::exhausted("no memory for the stack of the crash handlers (RLIMIT_AS, ulimit -v)", ENOMEM);
  box = black_box;
  previous = std::set_terminate(on_terminate);
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  // Nothing disturbs the recording but a crash in it and the alarm that limits it.
  sigfillset(&action.sa_mask);
  sigdelset(&action.sa_mask, SIGALRM);
  for (const int signal : kCrashSignals) sigdelset(&action.sa_mask, signal);
  for (const int signal : kCrashSignals) {
    if (::sigaction(signal, &action, nullptr) != 0) return Fault::system_call("sigaction");
  }
  return {};
}

void load_unwinder() noexcept {
  static const int frames = ::backtrace(unwound, 1);
  static_cast<void>(frames);
}

void change_black_box(BlackBox* black_box) noexcept {
  WEFT_CHECK(box != nullptr, "there are no crash handlers whose black box could change");
  box = black_box;
}

AlternateStack::AlternateStack() noexcept {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  // What the kernel itself puts there depends on the processor: 3 KiB to more than 8 with AMX.
  const auto frame = static_cast<std::size_t>(std::max(0L, ::sysconf(_SC_MINSIGSTKSZ)));
  const std::size_t usable = base::align_up(kAlternateStackBytes + frame, page);
  void* const mapped =
      ::mmap(nullptr, usable + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (mapped == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = static_cast<std::byte*>(mapped) + page;  // above a guard page
  stack.ss_size = usable;
  if (::mprotect(stack.ss_sp, usable, PROT_READ | PROT_WRITE) != 0 || ::sigaltstack(&stack, nullptr) != 0) {
    ::munmap(mapped, usable + page);
    return;
  }
  mapped_ = mapped;
  mapped_bytes_ = usable + page;
}

AlternateStack::~AlternateStack() {
  if (mapped_ == nullptr) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
  ::munmap(mapped_, mapped_bytes_);
}

void note(BlackBox& black_box, std::string_view text) noexcept {
  const std::size_t length = std::min(text.size(), kNoteBytes);
  // Relaxed: a reader that sees the old length with some of the new text gets a mixed text, never a wrong
  // length.
  black_box.note.bytes.store(0, std::memory_order_relaxed);
  std::memcpy(black_box.note.text, text.data(), length);
  // SYNC note: the text is whole.
  black_box.note.bytes.store(static_cast<std::uint32_t>(length), std::memory_order_release);
}

}  // namespace weft::process
