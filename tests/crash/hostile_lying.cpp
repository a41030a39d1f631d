// With WEFT_LIE=name a worker tells that lie (once, where WEFT_LIE_MARK names a file).

#include <fcntl.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "crash/hostile_worker.hpp"
#include "work/worker_main.hpp"

namespace weft::crash {

void lie_if_asked(int argc, char** argv) {
  const char* const lie = std::getenv("WEFT_LIE");
  const char* const mark = std::getenv("WEFT_LIE_MARK");
  const bool lies_now = lie != nullptr && argc == 3 && std::string{argv[1]} == work::kWorkerArgument &&
                        (mark == nullptr || ::open(mark, O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0);
  if (!lies_now) return;
  ::signal(SIGPIPE, SIG_IGN);
  Impostor impostor;
  for (const Lie& each : lies()) {
    if (lie != std::string{each.name}) continue;
    impostor.receive_hello(each.spoil);
    each.tell(impostor);
    impostor.rest();
  }
  std::fprintf(stderr, "no lie is called %s\n", lie);
  std::exit(3);
}

}  // namespace weft::crash
