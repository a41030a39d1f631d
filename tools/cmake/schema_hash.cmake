# cmake -DSCHEMAS=a.fbs;b.fbs -DOUTPUT=schema_hash.hpp -P schema_hash.cmake
# Hashes the bytes of the schemas, one after the other in the order of their names.

list(SORT SCHEMAS COMPARE FILE_BASENAME)
set(scratch "${OUTPUT}.bytes")
file(WRITE "${scratch}" "")
foreach(schema IN LISTS SCHEMAS)
  file(READ "${schema}" text)
  file(APPEND "${scratch}" "${text}")
endforeach()
file(SHA256 "${scratch}" digest)
file(REMOVE "${scratch}")
string(SUBSTRING "${digest}" 0 16 head)

file(WRITE "${OUTPUT}.new" "#pragma once
// Generated from the schemas.

#include <cstdint>

namespace weft::wire {

/// The first 8 bytes (big-endian) of the SHA-256 over the schemas' texts in the order of their names.
inline constexpr std::uint64_t kSchemaHash = 0x${head};

}  // namespace weft::wire
")
file(COPY_FILE "${OUTPUT}.new" "${OUTPUT}" ONLY_IF_DIFFERENT)
file(REMOVE "${OUTPUT}.new")
file(TOUCH_NOCREATE "${OUTPUT}")
