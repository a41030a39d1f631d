// Another binary than the one that submits: it knows tasks by name alone.

#include <unistd.h>

#include <string>
#include <weft/weft.hpp>

namespace {

std::string greet(const std::string& name) { return "hello " + name + " from another program"; }
WEFT_TASK(greet, greet);
weft::Buffer same(const weft::Buffer& buffer) { return buffer; }
WEFT_TASK(same, same);

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  return 2;  // it is for workers only
}
