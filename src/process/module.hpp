#pragma once
// Names for code that hold in every process of the same build, wherever address-space randomisation put it.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace weft::process {

/// The identity that the linker gave to an executable or shared library (--build-id); its first 20 bytes if
/// longer.
struct BuildId {
  std::array<std::uint8_t, 20> bytes{};
  std::uint8_t size = 0;  ///< 0: linked without one

  [[nodiscard]] explicit operator bool() const noexcept { return size != 0; }
  friend bool operator==(const BuildId&, const BuildId&) = default;
  [[nodiscard]] std::string hex() const;
  /// 32 bits for code ids, never 0 where there is a build id.
  [[nodiscard]] std::uint32_t hash() const noexcept;
};

/// The GNU build id among the notes of one PT_NOTE segment, which may be anybody's; `alignment` is the segment's: 4 or 8.
BuildId find_build_id(const char* notes, std::size_t bytes, std::size_t alignment);

/// An executable or shared library as it is mapped here.
struct Module {
  struct Segment {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    bool readable = false;
  };
  BuildId build_id;
  std::uint32_t hash = 0;         ///< build_id.hash()
  std::uintptr_t begin = 0;       ///< of the lowest segment: offsets count from here
  std::uintptr_t end = 0;         ///< of the highest
  std::string path;               ///< of the program itself: what /proc/self/exe names
  std::vector<Segment> segments;  ///< PT_LOAD; there may be holes between them

  [[nodiscard]] bool contains(std::uintptr_t address) const noexcept;
};

/// The running program. Threads: any.
const Module& main_module();

/// The module that `address` (a function or an object) belongs to, nullptr if none does. The pointer stays
/// valid for the life of the process, though the module may be unloaded. Threads: any.
const Module* module_of(const void* address);

/// The loaded module whose build id has this hash; nullptr if there is none, or if two different builds share
/// it.
const Module* module_by_hash(std::uint32_t build_id_hash);

/// {hash of the build id, offset in the module}, 32 bits each, for a function or an object that is linked
/// into a module: the same in each process of the same build. 0 if the address lies in no module, or in one
/// without a build id, or 4 GiB and more into it. About 10 ns for the program itself, 60 ns for a shared
/// library. Threads: any.
std::uint64_t code_id(const void* address);

/// The address that a code id names here; nullptr unless it lies in a readable segment of a loaded module.
/// `id` may be anything, for instance what a peer wrote. What lies there is for the caller to verify.
/// Threads: any.
const void* code_address(std::uint64_t id);

}  // namespace weft::process
