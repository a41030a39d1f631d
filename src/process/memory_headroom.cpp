#include "process/memory_headroom.hpp"

#include <algorithm>
#include <string_view>

#include "process/cgroup.hpp"

namespace weft::process {

namespace {

/// v1 writes "no limit" as the most pages that a counter can hold, in bytes; no machine has a quarter of
/// that.
constexpr std::uint64_t kUnlimitedBytes = std::uint64_t{1} << 61;

std::optional<std::uint64_t> read_number(const std::string& path) {
  const auto text = read_small_file(path);
  return text ? leading_number(*text) : std::nullopt;
}

/// The value of a line "name value" of memory.stat, 0 if there is none.
std::uint64_t stat_value(std::string_view stat, std::string_view name) {
  for (std::size_t at = stat.find(name); at != std::string_view::npos; at = stat.find(name, at + 1)) {
    const bool begins_line = at == 0 || stat[at - 1] == '\n';
    const std::size_t end = at + name.size();
    if (begins_line && end < stat.size() && stat[end] == ' ') {
      return leading_number(stat.substr(end + 1)).value_or(0);
    }
  }
  return 0;
}

std::optional<std::uint64_t> headroom_of(const std::string& directory, bool unified) {
  const auto limit = read_number(directory + (unified ? "/memory.max" : "/memory.limit_in_bytes"));
  if (!limit || *limit >= kUnlimitedBytes) return std::nullopt;
  const auto used = read_number(directory + (unified ? "/memory.current" : "/memory.usage_in_bytes"));
  if (!used) return std::nullopt;
  const std::string stat = read_small_file(directory + "/memory.stat").value_or(std::string{});
  // v1 counts the group alone under the plain names and its descendants too under total_*; v2 has only the
  // latter.
  const std::uint64_t cache =
      unified ? stat_value(stat, "inactive_file") + stat_value(stat, "active_file")
              : stat_value(stat, "total_inactive_file") + stat_value(stat, "total_active_file");
  const std::uint64_t kept = *used - std::min(*used, cache);
  return *limit - std::min(*limit, kept);
}

}  // namespace

std::optional<std::uint64_t> memory_headroom_bytes(const std::string& root) {
  std::optional<std::uint64_t> least;
  for (const Cgroups& groups : cgroups_of("memory", root)) {
    for (const std::string& directory : groups.directories) {
      const auto headroom = headroom_of(directory, groups.unified);
      if (headroom && (!least || *headroom < *least)) least = headroom;
    }
  }
  return least;
}

}  // namespace weft::process
