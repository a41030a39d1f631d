#include "process/private_bytes.hpp"

#include <fstream>
#include <string>

namespace weft::process {

std::uint64_t private_bytes(pid_t pid) {
  std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string name; status >> name;) {
    if (name == "RssAnon:") {
      std::uint64_t kib = 0;
      status >> kib;
      return kib * 1024;
    }
    std::getline(status, name);
  }
  return 0;
}

}  // namespace weft::process
