#pragma once
// The parent's side of the black box.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace weft::process {

/// An executable mapping of a file in some process.
struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;
  std::string path;
};

/// What a worker left in its black box, copied and checked: counts and lengths hold, texts have no control
/// characters. Whether it is true is for nobody to know, since the worker may have been corrupt when it
/// wrote.
struct CrashRecord {
  struct Exception {
    std::string type;  ///< demangled; empty if std::terminate was called without an exception
    std::string message;
  };
  bool crashed = false;   ///< a crash signal was recorded: the fields down to `mappings` hold
  bool complete = false;  ///< the backtrace was finished; otherwise `frames` may be cut short
  int signal = 0;
  int code = 0;               ///< si_code
  int thread = 0;             ///< tid
  std::uint64_t address = 0;  ///< si_addr
  std::uint64_t stack_pointer = 0;
  std::vector<std::uint64_t> frames;  ///< program counters: [0] where it crashed, the others return addresses
  std::vector<Mapping> mappings;
  std::optional<Exception> exception;  ///< std::terminate was called
  std::string note;
  std::uint64_t function = 0;  ///< BlackBox::Activity
  std::uint64_t task = 0;
  std::uint64_t flags = 0;

  /// The faulting address lies at the stack pointer: most likely a stack overflow.
  [[nodiscard]] bool looks_like_stack_overflow() const noexcept;
};

/// Reads the black box of another process, hostile or not, running or not; an empty record from one that was
/// never made. Faults: violation if `area` is too small or holds something else.
base::Result<CrashRecord> read_crash_record(std::span<const std::byte> area);

/// "SIGSEGV (Segmentation fault) at address 0x0: address not mapped"; empty if nothing crashed.
std::string describe(const CrashRecord& record);

}  // namespace weft::process
