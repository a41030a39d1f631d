// Another binary than the one that submits: it knows tasks by name alone.

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <weft/weft.hpp>

#include "contract/talking_tasks.hpp"

namespace {

std::string greet(const std::string& name) { return "hello " + name + " from another program"; }
WEFT_TASK(greet, greet);
void refuse() { throw std::runtime_error{"not here"}; }
WEFT_TASK(refuse, refuse);
weft::Buffer same(const weft::Buffer& buffer) { return buffer; }
WEFT_TASK(same, same);
WEFT_TASK(add_to_each, weft::contract::add_to_each);

}  // namespace

int main(int argc, char** argv) {
  // A terminal's signals, as they come before a worker is ready for them.
  if (std::getenv("WEFT_TEST_INTERRUPT") != nullptr) {
    static_cast<void>(std::raise(SIGINT));
    static_cast<void>(std::raise(SIGQUIT));
  }
  weft::init(argc, argv);
  return 2;  // it is for workers only
}
