#pragma once
// Where the limits of this process's control groups are written, for cgroup v1, v2 and both mounted side by
// side.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::process {

/// One cgroup hierarchy that this process is in: its own group first, then each ancestor that can be seen
/// from here.
struct Cgroups {
  bool unified = false;                  ///< v2; otherwise v1
  std::vector<std::string> directories;  ///< paths below the root that was asked about
};

/// The hierarchies that may limit `controller` ("cpu", "memory"), found through
/// `root`/proc/self/{cgroup,mountinfo}. Empty where there are no cgroups. `root` is "/" but in tests.
std::vector<Cgroups> cgroups_of(std::string_view controller, const std::string& root);

/// The file's text, at most 64 KiB of it; nullopt if it cannot be read.
std::optional<std::string> read_small_file(const std::string& path);

/// The number that `text` begins with; nullopt if it begins with none ("max").
std::optional<std::uint64_t> leading_number(std::string_view text) noexcept;

}  // namespace weft::process
