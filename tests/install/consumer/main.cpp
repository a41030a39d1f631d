#include <weft/weft.hpp>

int main(int argc, char** argv) {
  weft::init(argc, argv);
  weft::Pool pool{{.limit = 1}};
  return pool.submit([](int x) { return x + 1; }, 41).get() == 42 ? 0 : 1;
}
