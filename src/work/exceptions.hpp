#pragma once
// Exceptions that cross the border between processes.

#include <exception>
#include <string>

#include "wire/failure.hpp"

namespace weft::work {

/// In the worker: what is to be told of an exception that a task threw: the types' names, demangled, the texts, what is
/// nested in it, and what it takes to make it again. `program_counters` are left to the caller. Never throws but for
/// want of memory.
wire::FailureReport describe(const std::exception_ptr& exception);

/// In the parent: throws what the worker's report stands for: the original type where it is known (the standard
/// library's, weft's own that a task may throw, those registered), which is then a TaskException as well; TaskFailed
/// otherwise; UnknownTask, EncodingError, Cancelled, TimedOut, Exhausted, Closed for the other kinds. `output` is what the
/// task printed.
[[noreturn]] void rethrow(const wire::FailureReport& report, std::string output = {});

}  // namespace weft::work
