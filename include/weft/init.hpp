#pragma once

#include <weft/export.hpp>

namespace weft {

/// To be called first thing in main(), with main's own arguments. In the program itself it returns at once; in a worker
/// process, which is this same executable started again, it never returns.
/// Without it pools and workers throw NotInitialized.
WEFT_EXPORT void init(int argc, char** argv);

/// True within a worker process.
[[nodiscard]] WEFT_EXPORT bool in_worker() noexcept;

}  // namespace weft
