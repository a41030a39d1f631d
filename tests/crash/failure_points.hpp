#pragma once

#include <string>
#include <vector>

namespace weft::crash {

/// Names of the failure points in the sources, so that none can be added without being tried.
std::vector<std::string> points_in(const std::string& source_folder);

/// Whether it is one of channels, descriptors or shared objects, to which tasks come that use those.
inline bool is_of_talk(const std::string& point) {
  return point.starts_with("channel.") || point.starts_with("files.") || point.starts_with("shared.");
}

}  // namespace weft::crash
