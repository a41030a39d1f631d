#pragma once

#include <cstdint>
#include <memory>

#include "process/descriptors.hpp"
#include "work/output.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

/// What a worker's start begins with, whatever its kind.
struct PoolCore::Start {
  std::uint64_t id = 0;
  process::SocketPair sockets;
  std::shared_ptr<WorkerOutput> output;  ///< null with Output::inherit
};

}  // namespace weft::work
