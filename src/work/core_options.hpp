#pragma once

#include <cstddef>
#include <memory>
#include <weft/pool.hpp>

#include "work/pool_core.hpp"

namespace weft::work {

/// What a core of `limit` workers is made with. Throws ArgumentError, NotInitialized.
CoreOptions core_options(const WorkerOptions& worker, std::size_t limit);

/// At the end of the pool or worker that `core` belongs to.
void let_go(const std::shared_ptr<PoolCore>& core);

}  // namespace weft::work
