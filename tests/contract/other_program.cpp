// Another binary than the one that submits: it knows tasks by name alone.

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <weft/weft.hpp>

namespace {

std::string greet(const std::string& name) { return "hello " + name + " from another program"; }
WEFT_TASK(greet, greet);
void refuse() { throw std::runtime_error{"not here"}; }
WEFT_TASK(refuse, refuse);
weft::Buffer same(const weft::Buffer& buffer) { return buffer; }
WEFT_TASK(same, same);
/// Adds to each number that comes, until there are no more; gives how many came.
int add_to_each(weft::TaskScope& scope, int more) {
  auto parent = scope.channel<int, int>();
  int count = 0;
  try {
    for (;; ++count) parent.send(parent.receive() + more);
  } catch (const weft::Closed&) {
  }
  return count;
}
WEFT_TASK(add_to_each, add_to_each);

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
