#include "process/crash_record.hpp"

#include <signal.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <memory>

#include "process/black_box.hpp"
#include "process/spawn.hpp"

namespace weft::process {

namespace {

using base::Fault;
using base::Result;

// `reserved` and padding included, so that every byte of it is a value: it is filled from what another
// process wrote.
struct Copy {
  alignas(BlackBox) std::uint64_t words[kBlackBoxBytes / sizeof(std::uint64_t)];

  /// A field at its offset in BlackBox, as a plain integer.
  template <class T>
  [[nodiscard]] T at(std::size_t offset) const noexcept {
    T value;
    std::memcpy(&value, reinterpret_cast<const std::byte*>(words) + offset, sizeof value);
    return value;
  }
  [[nodiscard]] const char* text(std::size_t offset) const noexcept {
    return reinterpret_cast<const char*>(words) + offset;
  }
};

/// The counts that vouch for other parts, read with acquire before those are copied.
struct Counts {
  std::uint32_t stage;
  std::uint32_t frames;
  std::uint32_t mappings;
  std::uint32_t exception;
  std::uint32_t note;
};

Counts read_counts(const std::byte* area) noexcept {
  const auto acquire = [area](std::size_t offset) {
    return __atomic_load_n(reinterpret_cast<const std::uint32_t*>(area + offset), __ATOMIC_ACQUIRE);
  };
  return {
      acquire(offsetof(BlackBox, crash) + offsetof(BlackBox::Crash, stage)),              // SYNC crash
      acquire(offsetof(BlackBox, crash) + offsetof(BlackBox::Crash, frame_count)),        // SYNC frames
      acquire(offsetof(BlackBox, crash) + offsetof(BlackBox::Crash, mapping_count)),      // SYNC mapping
      acquire(offsetof(BlackBox, exception) + offsetof(BlackBox::Exception, committed)),  // SYNC exception
      acquire(offsetof(BlackBox, note) + offsetof(BlackBox::Note, bytes)),                // SYNC note
  };
}

/// Copies while the other process may be writing: word by word and relaxed, since a torn text does no harm
/// and the acquire loads of read_counts() have made visible what they vouch for.
std::unique_ptr<Copy> copy_of(const std::byte* area) {
  auto copy = std::make_unique<Copy>();
  const auto* const words = reinterpret_cast<const std::uint64_t*>(area);
  for (std::size_t index = 0; index < std::size(copy->words); ++index) {
    copy->words[index] = __atomic_load_n(words + index, __ATOMIC_RELAXED);
  }
  return copy;
}

/// `length` bytes, at most `capacity`, as a text that may be printed: up to the first NUL, and with '?' for
/// control characters, by which a hostile worker could steer the terminal of whoever reads the message.
std::string clean_text(const char* bytes, std::size_t length, std::size_t capacity) {
  std::string text(bytes, ::strnlen(bytes, std::min(length, capacity)));
  unsigned char before = 0;
  for (char& letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    const bool ascii_control = (code < 0x20 && letter != '\n' && letter != '\t') || code == 0x7f;
    const bool utf8_control =
        before == 0xc2 && code < 0xa0;  // U+0080 to U+009F; some terminals obey those too
    before = code;
    if (ascii_control || utf8_control) letter = '?';
  }
  return text;
}

void read_mappings(const Copy& copy, std::uint32_t count, CrashRecord& record) {
  constexpr std::size_t kMappingsAt = offsetof(BlackBox, crash) + offsetof(BlackBox::Crash, mappings);
  constexpr std::size_t kPathsAt = offsetof(BlackBox, crash) + offsetof(BlackBox::Crash, paths);
  for (std::size_t index = 0; index < std::min<std::size_t>(count, kCrashMappingsMax); ++index) {
    const auto raw = copy.at<BlackBoxMapping>(kMappingsAt + index * sizeof(BlackBoxMapping));
    if (raw.begin >= raw.end || raw.path_at > kCrashPathsBytes) continue;
    record.mappings.push_back(
        {raw.begin, raw.end, raw.file_offset,
         clean_text(copy.text(kPathsAt + raw.path_at), raw.path_bytes, kCrashPathsBytes - raw.path_at)});
  }
}

void read_crash(const Copy& copy, const Counts& counts, CrashRecord& record) {
  constexpr std::size_t kCrashAt = offsetof(BlackBox, crash);
  record.crashed = true;
  record.complete = counts.stage >= kCrashTraced;
  record.signal = copy.at<std::int32_t>(kCrashAt + offsetof(BlackBox::Crash, signal));
  record.code = copy.at<std::int32_t>(kCrashAt + offsetof(BlackBox::Crash, code));
  record.thread = copy.at<std::int32_t>(kCrashAt + offsetof(BlackBox::Crash, thread));
  record.address = copy.at<std::uint64_t>(kCrashAt + offsetof(BlackBox::Crash, address));
  record.stack_pointer = copy.at<std::uint64_t>(kCrashAt + offsetof(BlackBox::Crash, stack_pointer));
  const std::size_t frames = std::min<std::size_t>(counts.frames, kCrashFramesMax);
  for (std::size_t index = 0; index < frames; ++index) {
    record.frames.push_back(copy.at<std::uint64_t>(kCrashAt + offsetof(BlackBox::Crash, frames) + index * 8));
  }
  read_mappings(copy, counts.mappings, record);
}

struct CodeText {
  int signal;
  int code;
  const char* text;
};

constexpr CodeText kCodeTexts[] = {
    {SIGSEGV, SEGV_MAPERR, "address not mapped"},
    {SIGSEGV, SEGV_ACCERR, "no permission for this access"},
    {SIGSEGV, SI_KERNEL, "address not canonical"},
    {SIGBUS, BUS_ADRALN, "misaligned address"},
    {SIGBUS, BUS_ADRERR, "no memory behind the address (file truncated, or out of memory)"},
    {SIGBUS, BUS_OBJERR, "hardware error"},
    {SIGBUS, BUS_MCEERR_AR, "hardware memory error"},
    {SIGFPE, FPE_INTDIV, "integer division by zero"},
    {SIGFPE, FPE_INTOVF, "integer overflow"},
    {SIGFPE, FPE_FLTDIV, "floating-point division by zero"},
    {SIGFPE, FPE_FLTOVF, "floating-point overflow"},
    {SIGFPE, FPE_FLTUND, "floating-point underflow"},
    {SIGFPE, FPE_FLTRES, "inexact floating-point result"},
    {SIGFPE, FPE_FLTINV, "invalid floating-point operation"},
    {SIGILL, ILL_ILLOPC, "illegal opcode"},
    {SIGILL, ILL_ILLOPN, "illegal operand"},
    {SIGILL, ILL_PRVOPC, "privileged opcode"},
    {SIGTRAP, TRAP_BRKPT, "breakpoint"},
    {SIGSYS, 1 /* SYS_SECCOMP */, "system call refused by seccomp"},
};

std::string hex(std::uint64_t number) {
  char digits[19];
  char* at = digits + sizeof digits;
  do {
    *--at = "0123456789abcdef"[number & 15];
    number >>= 4;
  } while (number != 0);
  return "0x" + std::string(at, digits + sizeof digits);
}

}  // namespace

bool CrashRecord::looks_like_stack_overflow() const noexcept {
  // A frame may be larger than a page, and code probes below the stack pointer before it moves it.
  constexpr std::uint64_t kNearBytes = 64 * 1024;
  if (!crashed || (signal != SIGSEGV && signal != SIGBUS) || code <= 0 || code == SI_KERNEL) return false;
  return address + kNearBytes >= stack_pointer && address <= stack_pointer + kNearBytes;
}

Result<CrashRecord> read_crash_record(std::span<const std::byte> area) {
  if (area.size() < kBlackBoxBytes ||
      reinterpret_cast<std::uintptr_t>(area.data()) % alignof(BlackBox) != 0) {
    return Fault::violation("the black box is not where it should be");
  }
  const Counts counts = read_counts(area.data());
  const std::unique_ptr<const Copy> copy = copy_of(area.data());
  CrashRecord record;
  const auto magic = copy->at<std::uint32_t>(offsetof(BlackBox, magic));
  if (magic == 0) return record;
  if (magic != kBlackBoxMagic || copy->at<std::uint32_t>(offsetof(BlackBox, version)) != kBlackBoxVersion ||
      copy->at<std::uint32_t>(offsetof(BlackBox, bytes)) != kBlackBoxBytes) {
    return Fault::violation("the black box has a wrong magic, version or size");
  }
  constexpr std::size_t kActivityAt = offsetof(BlackBox, activity);
  record.function = copy->at<std::uint64_t>(kActivityAt + offsetof(BlackBox::Activity, function));
  record.task = copy->at<std::uint64_t>(kActivityAt + offsetof(BlackBox::Activity, task));
  record.flags = copy->at<std::uint64_t>(kActivityAt + offsetof(BlackBox::Activity, flags));
  if (counts.stage >= kCrashSeen) read_crash(*copy, counts, record);
  if (counts.exception == 1) {
    constexpr std::size_t kExceptionAt = offsetof(BlackBox, exception);
    record.exception = CrashRecord::Exception{
        clean_text(copy->text(kExceptionAt + offsetof(BlackBox::Exception, type)),
                   copy->at<std::uint32_t>(kExceptionAt + offsetof(BlackBox::Exception, type_bytes)),
                   kExceptionTypeBytes),
        clean_text(copy->text(kExceptionAt + offsetof(BlackBox::Exception, message)),
                   copy->at<std::uint32_t>(kExceptionAt + offsetof(BlackBox::Exception, message_bytes)),
                   kExceptionMessageBytes)};
  }
  record.note = clean_text(copy->text(offsetof(BlackBox, note) + offsetof(BlackBox::Note, text)), counts.note,
                           kNoteBytes);
  return record;
}

std::string describe(const CrashRecord& record) {
  if (!record.crashed) return {};
  std::string text = describe_signal(record.signal);
  if (record.code > 0 && record.signal != SIGABRT && record.signal != SIGTRAP && record.signal != SIGSYS &&
      !(record.signal == SIGSEGV && record.code == SI_KERNEL)) {
    text += " at address " + hex(record.address);
  }
  for (const CodeText& known : kCodeTexts) {
    if (known.signal == record.signal && known.code == record.code) text += std::string{": "} + known.text;
  }
  if (record.looks_like_stack_overflow()) text += " (stack overflow, most likely)";
  if (record.code <= 0 && record.signal != SIGABRT) text += ": sent by a process";
  return text;
}

}  // namespace weft::process
