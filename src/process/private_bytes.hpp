#pragma once

#include <sys/types.h>

#include <cstdint>

namespace weft::process {

/// What a process holds in memory of its own: resident, and of no file or shared memory (RssAnon in /proc/PID/status). 0 if
/// there is no such process.
std::uint64_t private_bytes(pid_t pid);

}  // namespace weft::process
