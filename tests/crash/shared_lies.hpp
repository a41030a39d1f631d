#pragma once

#include <cstdint>
#include <span>

#include "crash/hostile_worker.hpp"

namespace weft::crash {

/// The shared objects of the test: the first that it makes.
inline constexpr std::uint64_t kMutex = 1;
inline constexpr std::uint64_t kParcel = 2;
inline constexpr std::uint64_t kBarrier = 3;

/// Ways of lying about shared objects.
std::span<const Lie> shared_lies();

}  // namespace weft::crash
