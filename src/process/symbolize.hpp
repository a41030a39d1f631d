#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "process/crash_record.hpp"

namespace weft::process {

/// One line of a backtrace; what could not be found is empty or 0.
struct Frame {
  std::uint64_t address = 0;
  std::string function;  ///< demangled
  std::string file;      ///< of the source, as the compiler was given it
  int line = 0;
  std::string module;        ///< path of the executable or shared library
  std::uint64_t offset = 0;  ///< of `address` in the module, as addr2line takes it
  bool inlined = false;      ///< the compiler put this function's body into that of the next frame
};

/// Names the frames of a crashed worker out of the files that it had mapped, which this process reads: symbol
/// tables, and DWARF where there is any, also from separate debug files; functions that were inlined get
/// frames of their own. Files that are missing, damaged or not regular leave module and offset. Never uses
/// the network (debuginfod). Threads: any, one at a time. Blocks: reads files, milliseconds to a second for
/// much debug information.
std::vector<Frame> symbolize(const CrashRecord& record);

/// The same for return addresses in this process, for instance from backtrace() where an exception was
/// caught.
std::vector<Frame> symbolize_local(std::span<void* const> return_addresses);

/// Lines "#0 crashing_function(int) at file.cpp:12", "#1 strlen in /lib/libc.so.6+0x1234", "#2 0x7f... in
/// /lib/libx.so+0x12"; runs of the same frame, as deep recursion has, become one line.
std::string format_trace(std::span<const Frame> frames);

}  // namespace weft::process
