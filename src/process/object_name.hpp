#pragma once

#include <cstdint>
#include <string>

namespace weft::process {

/// The name, demangled, of the object of `bytes` bytes that lies at `offset` in the executable or library `file` of any
/// origin; empty if that is no ELF file of this machine's kind, has another build id (BuildId::hash), or no symbol for it.
/// Reads the symbol table from one end to the other: some 10 ms for 100 MB of program. Threads: any.
std::string object_name(int file, std::uint32_t build_id_hash, std::uint64_t offset, std::uint64_t bytes);

}  // namespace weft::process
