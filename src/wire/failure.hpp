#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>
#include <weft/error.hpp>

#include "base/result.hpp"

namespace weft::wire {

/// Why a task has no value, as the worker tells it (schemas/failure.fbs).
struct FailureReport {
  enum class Kind : std::uint8_t {
    exception = 0,     ///< the task threw: `chain` has it
    unknown_task = 1,  ///< there is no such function in the worker
    encoding = 2,      ///< the arguments could not be decoded, or the result not be encoded
    cancelled = 3,     //
    timed_out = 4,     //
    exhausted = 5,     ///< the worker ran out of memory or descriptors
    closed = 6,        ///< the worker is shutting down
  };

  Kind kind = Kind::exception;
  bool had_begun = false;                       ///< the task may have had effects
  std::string message;                          ///< what happened, for all kinds but `exception`
  std::vector<ExceptionInfo> chain;             ///< not empty if `kind` is `exception`
  std::vector<std::uint64_t> program_counters;  ///< code ids where it was thrown, the innermost first
  std::string trace;               ///< the same in words, of an exception out of the worker's own worker
  std::int32_t code = 0;           ///< of a std::error_code and its kin, or a TimedOut's limit
  std::string category;            ///< the name of its category
  std::vector<std::string> paths;  ///< of a std::filesystem::filesystem_error
  std::vector<std::byte> value;    ///< Encoding::values, of an exception that has a codec
};

inline constexpr std::size_t kFailureTextBytesMax = 16 * 1024;
inline constexpr std::size_t kFailureChainMax = 16;
inline constexpr std::size_t kFailureCountersMax = 256;
inline constexpr std::size_t kFailureValueBytesMax = 64 * 1024;
/// decode() looks at nothing longer; encode() makes nothing longer. Bounds the memory that a worker's word can cost.
inline constexpr std::size_t kFailureBytesMax = 1024 * 1024;
/// The least that encode() can be asked to fit.
inline constexpr std::size_t kFailureBytesMin = 512;

/// The report as a Failure table of at most `bytes_max` bytes (at least kFailureBytesMin). What is too long is cut:
/// texts end in "...", long chains lose their innermost exceptions, and a value that does not fit is left out.
std::vector<std::byte> encode(const FailureReport& report, std::size_t bytes_max = kFailureBytesMax);

/// Faults: violation, for everything that encode() could not have made. Never reads `bytes` twice.
base::Result<FailureReport> decode_failure(std::span<const std::byte> bytes);

}  // namespace weft::wire
