#pragma once

#include "peers/pattern.hpp"

namespace weft::bench {

/// What a peer that is a program of its own defines: appends its two benchmarks and registers its other side.
void add_adapter(std::vector<Benchmark>& to);

/// False in a process that only answers (one of MPI's ranks). Most adapters say true.
bool prints_here();

}  // namespace weft::bench
