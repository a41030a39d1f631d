#include "harness/machine.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "harness/cpus.hpp"
#include "harness/timer.hpp"

namespace weft::bench {

namespace {

#ifdef __OPTIMIZE__
constexpr const char* kCompiler = __VERSION__;
#else
constexpr const char* kCompiler = __VERSION__ ", not optimising: not to quote";
#endif

// The value of the first line of /proc/cpuinfo that begins with `key`, or "".
std::string cpuinfo(const std::string& key) {
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) == 0) {
      const auto colon = line.find(": ");
      return colon == std::string::npos ? "" : line.substr(colon + 2);
    }
  }
  return "";
}

std::string first_line(const std::string& path, const std::string& otherwise) {
  std::ifstream file{path};
  std::string line;
  return std::getline(file, line) ? line : otherwise;
}

// "spec_store_bypass: Mitigation: ..." for each weakness that the kernel does something against, or is open to.
std::string mitigations() {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator{"/sys/devices/system/cpu/vulnerabilities", error}) {
    const std::string state = first_line(entry.path(), "unknown");
    if (state != "Not affected") found.push_back(entry.path().filename().string() + ": " + state);
  }
  if (error) return "unknown";
  std::sort(found.begin(), found.end());
  return found.empty() ? "none needed" : fmt::format("{}", fmt::join(found, "; "));
}

std::string memory() {
  return fmt::format("{:.1f} GiB", static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                                       static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1U << 30));
}

}  // namespace

std::vector<Fact> machine_facts() {
  utsname system{};
  ::uname(&system);
  double load[1] = {0};
  ::getloadavg(load, 1);
  char date[32] = "";
  const std::time_t now = ::time(nullptr);
  tm local{};
  ::strftime(date, sizeof date, "%Y-%m-%d %H:%M", ::localtime_r(&now, &local));
  const bool guest = cpuinfo("flags").find(" hypervisor") != std::string::npos;
  const std::string model = cpuinfo("model name");
  return {
      {"date", date},
      {"processor", model.empty() ? "unknown" : model},
      {"CPUs allowed", std::to_string(allowed_cpus().size())},
      {"memory", memory()},
      {"virtualised", guest ? "yes" : "not that it told"},
      {"kernel", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
      {"governor", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown")},
      {"idle driver", first_line("/sys/devices/system/cpu/cpuidle/current_driver", "unknown")},
      {"mitigations", mitigations()},
      {"compiler", kCompiler},
      {"load average at the start", fmt::format("{:.2f}", load[0])},
      {"timer", fmt::format("{:.1f} ns in steps of {:.1f} ns, taken off each measurement",
                            Timer::cost() * Timer::tick_ns(), Timer::step() * Timer::tick_ns())},
  };
}

std::string describe(const std::vector<Fact>& facts) {
  std::string text;
  for (const Fact& fact : facts) text += fmt::format("{}: {}\n", fact.name, fact.value);
  return text;
}

}  // namespace weft::bench
