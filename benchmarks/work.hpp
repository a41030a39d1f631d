#pragma once

#include <cstdint>

namespace weft::bench {

/// Work that takes CPU time rather than time: a task that watched a clock would be done sooner the longer it was kept
/// from running. Each pass waits for the last.
std::uint64_t burn(std::uint64_t passes);

/// Passes of burn() in a microsecond, found once, where nothing disturbed it.
double passes_per_us();

}  // namespace weft::bench
