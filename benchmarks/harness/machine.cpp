#include "harness/machine.hpp"

#include <fmt/core.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "harness/cpus.hpp"
#include "harness/timer.hpp"

namespace weft::bench {

namespace {

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

}  // namespace

std::string describe_machine() {
  utsname system{};
  ::uname(&system);
  double load[1] = {0};
  ::getloadavg(load, 1);
  char date[32] = "";
  const std::time_t now = ::time(nullptr);
  tm local{};
  ::strftime(date, sizeof date, "%Y-%m-%d %H:%M", ::localtime_r(&now, &local));
  const bool guest = cpuinfo("flags").find(" hypervisor") != std::string::npos;
  return fmt::format(
      "{}: {}{}, {} CPUs allowed, {} {}, governor {}, idle driver {}, compiler {}\n"
      "load average {:.2f} at the start; timer {:.1f} ns in steps of {:.1f} ns, taken off each measurement\n",
      date, cpuinfo("model name"), guest ? " (a virtual machine)" : "", allowed_cpus().size(), system.sysname,
      system.release, first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown"),
      first_line("/sys/devices/system/cpu/cpuidle/current_driver", "unknown"), __VERSION__, load[0],
      Timer::cost() * Timer::tick_ns(), Timer::step() * Timer::tick_ns());
}

}  // namespace weft::bench
