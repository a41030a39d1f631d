#include "process/proc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string_view>

namespace weft::process {

namespace {

using base::Fault;

std::string path_of(pid_t pid, const std::string& file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

/// The numbers among the names in a folder, in order. Empty with errno where it cannot be read.
std::vector<int> numbers_in(const std::string& folder) {
  std::vector<int> numbers;
  errno = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> open{::opendir(folder.c_str()), &::closedir};
  if (!open) return numbers;
  while (const dirent* const entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc{} && end == name.data() + name.size()) numbers.push_back(number);
  }
  errno = 0;
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string clean(std::string text) {
  for (char& each : text) {
    if (static_cast<unsigned char>(each) < 0x20 || each == 0x7f) each = '?';
  }
  return text;
}

std::string argument_of(pid_t pid) {
  std::ifstream file{path_of(pid, "cmdline")};
  std::string program;
  std::string first;
  std::getline(file, program, '\0');
  std::getline(file, first, '\0');
  return first;
}

/// For reading; errno says why not. A path of another process may lead to anything, a device included that does something as
/// soon as it is opened: so it is looked at first, and what was looked at is opened.
base::UniqueFd open_regular(const std::string& path) {
  const base::UniqueFd found{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  struct stat status {};
  if (!found || ::fstat(found.get(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return {};
  }
  const std::string again = "/proc/self/fd/" + std::to_string(found.get());
  return base::UniqueFd{::open(again.c_str(), O_RDONLY | O_CLOEXEC)};
}

}  // namespace

std::vector<pid_t> all_processes() { return numbers_in("/proc"); }

std::optional<ProcessLook> look_at(pid_t pid) {
  std::ostringstream all;
  all << std::ifstream{path_of(pid, "stat")}.rdbuf();
  const std::string text = all.str();
  // The name stands in parentheses, and may have some itself.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
  ProcessLook look;
  look.pid = look.inner_pid = pid;
  look.name = clean(text.substr(open + 1, close - open - 1));
  std::istringstream rest{text.substr(close + 1)};
  char state = 0;
  std::uint64_t skipped = 0;
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
  rest >> state >> look.parent;
  std::string field;
  for (int i = 5; i < 14; ++i) rest >> field;
  rest >> user_ticks >> system_ticks;
  for (int i = 16; i < 24; ++i) rest >> field;
  rest >> skipped;
  if (!rest || state == 'Z' || state == 'X') return std::nullopt;
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  look.cpu_time = std::chrono::nanoseconds{(user_ticks + system_ticks) * (1'000'000'000 / ticks_per_second)};
  look.resident_bytes = skipped * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  look.argument = argument_of(pid);
  std::ifstream status{path_of(pid, "status")};
  for (std::string name; status >> name;) {
    std::string line;
    std::getline(status, line);
    std::istringstream values{line};
    if (name == "Uid:") {
      uid_t real = 0;
      values >> real >> look.user;
    } else if (name == "NSpid:") {
      while (values >> look.inner_pid) {
      }
      if (look.inner_pid == 0) look.inner_pid = pid;
      break;
    }
  }
  return look;
}

std::optional<MemoryLook> memory_of(pid_t pid) {
  std::ifstream file{path_of(pid, "smaps_rollup")};
  MemoryLook look;
  for (std::string name; file >> name;) {
    if (name == "Rss:" || name == "Pss:") {
      std::uint64_t kib = 0;
      if (!(file >> kib)) return std::nullopt;
      (name == "Rss:" ? look.resident_bytes : look.proportional_bytes) = kib * 1024;
      if (name == "Pss:") return look;  // it stands behind the other
    }
    std::getline(file, name);
  }
  return std::nullopt;
}

base::Result<std::vector<HeldRegion>> held_regions(pid_t pid, const std::string& prefix) {
  const std::string folder = path_of(pid, "fd");
  const std::vector<int> numbers = numbers_in(folder);
  if (numbers.empty() && errno != 0) return Fault::system_call(folder.c_str());
  const std::string begin = "/memfd:" + prefix;
  constexpr std::string_view kEnd = " (deleted)";
  std::vector<HeldRegion> found;
  std::set<ino_t> seen;
  for (const int number : numbers) {
    const std::string path = folder + "/" + std::to_string(number);
    char target[128];
    const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
    if (length < 0) continue;  // closed meanwhile
    const std::string_view name{target, static_cast<std::size_t>(length)};
    if (!name.starts_with(begin) || !name.ends_with(kEnd)) continue;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !seen.insert(status.st_ino).second) continue;
    constexpr std::size_t kBegin = std::string_view{"/memfd:"}.size();
    found.push_back({std::string{name.substr(kBegin, name.size() - kBegin - kEnd.size())}, number});
  }
  return found;
}

base::Result<base::UniqueFd> open_held(pid_t pid, int number) {
  const std::string path = path_of(pid, "fd/" + std::to_string(number));
  base::UniqueFd file = open_regular(path);
  if (!file) return Fault::system_call(path.c_str());
  return file;
}

std::vector<base::UniqueFd> open_modules(pid_t pid) {
  constexpr std::size_t kModulesMax = 256;
  std::vector<base::UniqueFd> modules;
  if (base::UniqueFd program = open_regular(path_of(pid, "exe"))) modules.push_back(std::move(program));
  std::set<std::string> seen;
  std::ifstream maps{path_of(pid, "maps")};
  for (std::string line; std::getline(maps, line) && modules.size() < kModulesMax;) {
    const std::size_t path = line.find('/');
    if (path == std::string::npos || line.find("r-xp") == std::string::npos) continue;
    if (!seen.insert(line.substr(path)).second) continue;
    if (base::UniqueFd library = open_regular(line.substr(path))) modules.push_back(std::move(library));
  }
  return modules;
}

}  // namespace weft::process
