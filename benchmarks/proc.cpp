#include "proc.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace weft::bench {

namespace {

std::string folder(pid_t pid) { return "/proc/" + std::to_string(pid); }

// The number after `key`, as in "Pss:      1234 kB".
std::uint64_t number_after(const std::string& path, const std::string& key) {
  std::ifstream file{path};
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) == 0) return std::strtoull(line.c_str() + key.size(), nullptr, 10);
  }
  throw std::runtime_error{path + " does not tell " + key};
}

}  // namespace

std::uint64_t pss_bytes(pid_t pid) { return number_after(folder(pid) + "/smaps_rollup", "Pss:") * 1024; }

std::uint64_t cpu_ticks(pid_t pid) {
  const std::string path = folder(pid) + "/stat";
  std::ifstream file{path};
  std::string text;
  std::getline(file, text);
  // The second field is the program's name in brackets, which may hold anything; utime and stime are the 14th and 15th.
  const auto bracket = text.rfind(')');
  if (bracket == std::string::npos) throw std::runtime_error{path + " cannot be read"};
  std::istringstream fields{text.substr(bracket + 1)};
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  return user + system;
}

std::uint64_t context_switches(pid_t pid) {
  std::uint64_t sum = 0;
  for (const auto& thread : std::filesystem::directory_iterator{folder(pid) + "/task"}) {
    const std::string path = thread.path() / "status";
    sum += number_after(path, "voluntary_ctxt_switches:") + number_after(path, "nonvoluntary_ctxt_switches:");
  }
  return sum;
}

}  // namespace weft::bench
