#include "suite.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

namespace weft::model {

void expect_all_hold(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    const Report report = each.explore(Options{});
    std::printf("%s\n", report.summary().c_str());
    std::fflush(stdout);
    EXPECT_TRUE(report.holds()) << each.name << ": " << report.failure << "\n" << report.trace;
  }
}

void expect_each_mutation_is_found(const std::vector<Case>& cases, const std::vector<std::string>& files,
                                   std::size_t expected) {
  std::set<Place> places;
  for (const Case& each : cases) {
    for (const Place& place : each.explore(Options{}).places) {
      if (std::find(files.begin(), files.end(), place.file) != files.end()) places.insert(place);
    }
  }
  EXPECT_GE(places.size(), expected);
  for (const Place& place : places) {
    const std::string text = describe(place);
    Options options;
    options.mutation = &place;
    std::string found;
    for (const Case& each : cases) {
      const Report report = each.explore(options);
      if (report.holds()) continue;
      found = each.name + ": " + report.failure + " (" + std::to_string(report.executions) + " executions)";
      break;
    }
    std::printf("without %-36s %s\n", text.c_str(), found.empty() ? "NOTHING FAILS" : found.c_str());
    EXPECT_FALSE(found.empty()) << "nothing fails without " << text;
  }
}

}  // namespace weft::model
