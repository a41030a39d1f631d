#pragma once

#include <string>
#include <vector>

namespace weft::crash {

/// Names of the failure points in the sources, so that none can be added without being tried.
std::vector<std::string> points_in(const std::string& source_folder);

}  // namespace weft::crash
