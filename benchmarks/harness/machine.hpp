#pragma once

#include <string>
#include <vector>

namespace weft::bench {

struct Fact {
  std::string name;
  std::string value;
};

/// What the figures were measured on, and when: processor, kernel, virtualised or not, governor, mitigations, load,
/// compiler, timer. What the machine does not tell is "unknown".
std::vector<Fact> machine_facts();

/// The same in a few lines.
std::string describe(const std::vector<Fact>& facts);

}  // namespace weft::bench
