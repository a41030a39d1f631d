#include "process/cgroup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/unique_fd.hpp"

namespace weft::process {

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (end != 0) parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

bool names(std::string_view list, std::string_view controller) {
  for (const std::string_view item : split(list, ',')) {
    if (item == controller) return true;
  }
  return false;
}

/// mountinfo writes blanks, tabs and backslashes in paths as \ooo.
std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned code = 0;
    if (text[at] == '\\' && at + 4 <= text.size() &&
        std::from_chars(text.data() + at + 1, text.data() + at + 4, code, 8).ptr == text.data() + at + 4) {
      result.push_back(static_cast<char>(code));
      at += 3;
    } else {
      result.push_back(text[at]);
    }
  }
  return result;
}

/// The group's path in the hierarchy of `controller`, or in the unified one, from lines
/// "id:controllers:path".
std::optional<std::string> own_path(std::string_view cgroup_file, std::string_view controller, bool unified) {
  for (const std::string_view line : split(cgroup_file, '\n')) {
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (unified ? controllers.empty() : names(controllers, controller))
      return std::string{line.substr(second + 1)};
  }
  return std::nullopt;
}

struct Mount {
  std::string root;   ///< which group of the hierarchy the mount point shows
  std::string point;  ///< where
};

std::optional<Mount> find_mount(std::string_view mountinfo, std::string_view controller, bool unified) {
  for (const std::string_view line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const std::vector<std::string_view> place = split(line.substr(0, dash), ' ');
    const std::vector<std::string_view> kind = split(line.substr(dash + 3), ' ');
    if (place.size() < 5 || kind.size() < 3) continue;
    if (kind[0] != (unified ? "cgroup2" : "cgroup")) continue;
    if (unified || names(kind[2], controller)) return Mount{unescape(place[3]), unescape(place[4])};
  }
  return std::nullopt;
}

/// `path` as seen below a mount that shows `mount_root`; the mount point itself where the group lies outside
/// of it, as in a container that sees only its own part.
std::string path_below_mount(const std::string& path, const std::string& mount_root) {
  if (path.find("/..") != std::string::npos) return {};
  if (mount_root == "/") return path == "/" ? std::string{} : path;
  if (path == mount_root) return {};
  return path.starts_with(mount_root + "/") ? path.substr(mount_root.size()) : std::string{};
}

}  // namespace

std::optional<std::string> read_small_file(const std::string& path) {
  constexpr std::size_t kBytesMax = 64 * 1024;
  const base::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return std::nullopt;
  std::string text;
  char buffer[4096];
  while (text.size() < kBytesMax) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

std::optional<std::uint64_t> leading_number(std::string_view text) noexcept {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc::result_out_of_range) return UINT64_MAX;
  if (parsed.ec != std::errc{}) return std::nullopt;
  return number;
}

std::vector<Cgroups> cgroups_of(std::string_view controller, const std::string& root) {
  std::vector<Cgroups> found;
  const auto cgroup_file = read_small_file(root + "/proc/self/cgroup");
  const auto mountinfo = read_small_file(root + "/proc/self/mountinfo");
  if (!cgroup_file || !mountinfo) return found;
  for (const bool unified : {true, false}) {
    const auto path = own_path(*cgroup_file, controller, unified);
    const auto mount = find_mount(*mountinfo, controller, unified);
    if (!path || !mount) continue;
    const std::string top = root + mount->point;
    std::string below = path_below_mount(*path, mount->root);
    Cgroups groups{unified, {}};
    while (!below.empty()) {
      groups.directories.push_back(top + below);
      below.erase(below.rfind('/'));
    }
    groups.directories.push_back(top);
    found.push_back(std::move(groups));
  }
  return found;
}

}  // namespace weft::process
