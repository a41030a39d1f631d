#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weft::process {

/// How many more bytes the memory cgroups of this process allow, the least of all levels; nullopt if
/// unlimited. File cache counts as free, since the kernel drops it before it kills anybody: a container that
/// has read many files stands at its limit all the time. Shared memory is not such cache. A snapshot: others
/// in the group allocate too. `root` is "/" but in tests.
std::optional<std::uint64_t> memory_headroom_bytes(const std::string& root = "/");

}  // namespace weft::process
