// The program: an honest worker, or with WEFT_LIE=name one that tells that lie (once, where WEFT_LIE_MARK names a file).

#include "crash/hostile_worker.hpp"

#include <fcntl.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <weft/weft.hpp>

#include "work/worker_main.hpp"

int main(int argc, char** argv) {
  const char* const lie = std::getenv("WEFT_LIE");
  const char* const mark = std::getenv("WEFT_LIE_MARK");
  const bool lies = lie != nullptr && argc == 3 && std::string{argv[1]} == weft::work::kWorkerArgument &&
                    (mark == nullptr || ::open(mark, O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0);
  if (!lies) {
    weft::init(argc, argv);
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  weft::crash::Impostor impostor;
  for (const weft::crash::Lie& each : weft::crash::lies()) {
    if (lie != std::string{each.name}) continue;
    impostor.receive_hello(each.spoil);
    each.tell(impostor);
    impostor.rest();
  }
  std::fprintf(stderr, "no lie is called %s\n", lie);
  return 3;
}
