#pragma once

#include <string>

namespace weft::bench {

/// A few lines on what the figures were measured on: processor, kernel, virtualised or not, governor, load.
std::string describe_machine();

}  // namespace weft::bench
