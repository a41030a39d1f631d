#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace weft::contract {

/// What a test starts its own program for: called with `--role NAME ARGUMENTS...`, it does that instead of running tests.
class Role {
 public:
  using Arguments = std::vector<std::string>;
  using Play = void (*)(const Arguments&);

  Role(const std::string& name, Play does) { all().emplace(name, does); }

  /// Does what the arguments ask for. False if that is no role; one that does not exist ends the program.
  static bool play(int argc, char** argv) {
    char** const end = argv + argc;
    char** const option = std::find(argv, end, std::string{"--role"});
    if (option == end) return false;
    const Arguments words(option + 1, end);
    if (words.empty() || !all().contains(words.front())) {
      std::fprintf(stderr, "--role: this program has no such role\n");
      std::abort();
    }
    all().at(words.front())({words.begin() + 1, words.end()});
    return true;
  }

 private:
  static std::map<std::string, Play>& all() {
    static std::map<std::string, Play> roles;
    return roles;
  }
};

}  // namespace weft::contract
