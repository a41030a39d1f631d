#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <weft/error.hpp>
#include <weft/init.hpp>

#include "base/mutex.hpp"
#include "process/forked.hpp"
#include "work/initialized.hpp"
#include "work/worker_main.hpp"

namespace weft {

namespace {

bool initialized = false;
bool worker = false;

}  // namespace

void init(int argc, char** argv) {
  initialized = true;
  base::Mutex::prepare();
  if (argc != 3) return;
  const bool zygote = std::strcmp(argv[1], work::kZygoteArgument) == 0;
  if (!zygote && std::strcmp(argv[1], work::kWorkerArgument) != 0) return;
  char* end = nullptr;
  const long control = std::strtol(argv[2], &end, 10);
  if (*end != '\0' || control != work::kWorkerControl) {
    std::fprintf(stderr, "%s: %s is for weft's own use: it starts a worker process\n", argv[0], argv[1]);
    std::exit(2);
  }
  worker = true;
  zygote ? work::zygote_main(work::kWorkerControl) : work::worker_main(work::kWorkerControl);
}

bool in_worker() noexcept { return worker; }

namespace work {

void throw_forked() {
  throw Error{
      "weft was in use before fork(), and its threads and shared memory are not in this child: start "
      "programs with exec, or use weft for the first time after the fork",
      {}};
}

void require_initialized() {
  if (!initialized) throw NotInitialized{};
  constexpr unsigned kNestingMax = 10;
  if (nesting_depth() >= kNestingMax) {
    throw Error{"workers have started workers " + std::to_string(kNestingMax) +
                    " levels deep: most likely a task creates a pool each time it runs; create pools where "
                    "tasks are submitted",
                {}};
  }
}

}  // namespace work
}  // namespace weft
