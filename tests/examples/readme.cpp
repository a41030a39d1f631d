// Samples of README.md that have no test of their own.

#include <chrono>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

void lines() {
  weft::Pool pool{{.limit = 8, .worker = {.output = weft::Output::lines, .output_prefix = "[{worker}] "}}};
}

void limits() {
  weft::Pool pool{
      {.limit = 8,
       .worker = {
           .limits = {
               .memory_bytes = 512 << 20, .cpu_time = 600s, .open_files = 64, .nice = 10, .cpus = {0}}}}};
}

}  // namespace

int main(int argc, char** argv) {
  weft::init(argc, argv);
  lines();
  limits();
  return 0;
}
