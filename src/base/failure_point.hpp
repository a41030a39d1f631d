#pragma once
// Named places where a process may be made to die, so that tests kill it there rather than at a random moment.
// Compiled in only where WEFT_FAILURE_POINTS is defined (the library variant that the crash tests link); in the
// shipped library the macro is nothing.

#if defined(WEFT_FAILURE_POINTS)

namespace weft::base {

/// Dies by SIGKILL if the environment variable WEFT_DIE_AT is `name` (or `name:N`: at the N-th pass, counted from 1).
/// If WEFT_DIE_MARK names a file, only the process that can create it dies: one, and the file tells that it did.
void failure_point(const char* name) noexcept;

}  // namespace weft::base

#define WEFT_FAILURE_POINT(name) ::weft::base::failure_point(name)
#else
#define WEFT_FAILURE_POINT(name) static_cast<void>(0)
#endif
