#pragma once
// Scenarios of one protocol, explored as shipped and then with each of its operations spoilt in turn: an ordering that
// can be weakened without any scenario failing is either not needed or not tested.

#include <functional>
#include <string>
#include <vector>

#include "engine.hpp"

namespace weft::model {

struct Case {
  std::string name;
  std::function<Report(const Options&)> explore;
};

template <class S, class... Arguments>
Case make_case(const std::string& name, Arguments... arguments) {
  return {name, [=](const Options& options) { return explore<S>(name, options, arguments...); }};
}

/// Expects every case to hold, and prints what was explored.
void expect_all_hold(const std::vector<Case>& cases);

/// Expects, for each operation of `files` that the cases meet, that one of them fails once it is spoilt. `expected` is
/// how many there are at least: the checker must have met them.
void expect_each_mutation_is_found(const std::vector<Case>& cases, const std::vector<std::string>& files,
                                   std::size_t expected);

}  // namespace weft::model
