#include "crash/failure_points.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace weft::crash {

std::vector<std::string> points_in(const std::string& source_folder) {
  static const std::regex point{R"re(WEFT_FAILURE_POINT\("([^"]+)"\))re"};
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{source_folder}) {
    if (entry.path().extension() != ".hpp" && entry.path().extension() != ".cpp") continue;
    std::ostringstream text;
    text << std::ifstream{entry.path()}.rdbuf();
    const std::string all = text.str();
    for (std::sregex_iterator each{all.begin(), all.end(), point}; each != std::sregex_iterator{}; ++each) {
      names.push_back((*each)[1]);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace weft::crash
