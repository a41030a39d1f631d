// The program that README.md begins with.

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <weft/weft.hpp>

std::uint64_t checksum(const std::string& path);

struct Thumbnail {  // a task with parameters: a plain aggregate
  std::string path;
  int width = 256;
  weft::Buffer run() const;
};

int main(int argc, char** argv) {
  weft::init(argc, argv);  // in a worker this never returns
  weft::Pool pool{{.limit = 8}};
  auto sum = pool.submit<checksum>("photo.jpg");  // weft::Execution<std::uint64_t>
  auto thumb = pool.submit(Thumbnail{"photo.jpg"});
  auto answer = pool.submit([k = 3](int x) { return k * x; }, 14);
  return answer.get() == 42 ? 0 : 1;
}

std::uint64_t checksum(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::uint64_t sum = 0;
  for (std::istreambuf_iterator<char> byte{in}, end; byte != end; ++byte) {
    sum = sum * 31 + static_cast<unsigned char>(*byte);
  }
  return sum;
}

weft::Buffer Thumbnail::run() const { return weft::Buffer{static_cast<std::size_t>(width * width)}; }
