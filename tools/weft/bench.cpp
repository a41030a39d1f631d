#include "bench.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "options.hpp"
#include "progress.hpp"

namespace weft_cli {

int become_bench(char** argv) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  for (const char* const place : {".", WEFT_BENCH_FROM_BIN, "../../benchmarks"}) {
    const std::string program = (folder / place / "weft-bench").lexically_normal();
    if (::access(program.c_str(), X_OK) != 0) continue;
    ::execv(program.c_str(), argv);
    print_problem(fmt::format("cannot start {}: {}", program, std::strerror(errno)));
    return kExitFailed;
  }
  print_problem("weft-bench is not installed here; ./tools/bench in weft's sources builds it and runs it");
  return kExitFailed;
}

}  // namespace weft_cli
