// Lambdas that cannot be sent; as codec.cpp.

#include <string>
#include <weft/pool.hpp>

struct Holder {
  int number = 3;
  void submit(weft::Pool& pool) const {
#if WEFT_CASE == 4
    static_cast<void>(pool.submit([this] { return number; }));
#else
    static_cast<void>(pool.submit([value = number] { return value; }));
#endif
  }
};

void refused(weft::Pool& pool) {
  int number = 1;
  int* const pointer = &number;
  const std::string text = "text";
  Holder{}.submit(pool);
#if WEFT_CASE == 0  // Compiles: the cases fail for their own reasons.
  static_cast<void>(pool.submit([number](int by) { return number * by; }, 2));
  static_cast<void>(pool.submit([](const std::string& words) { return words.size(); }, text));
  static_cast<void>(pointer);
#elif WEFT_CASE == 1
  static_cast<void>(pool.submit([&number] { return number; }));
#elif WEFT_CASE == 2
  static_cast<void>(pool.submit([&] { return number; }));
#elif WEFT_CASE == 3
  static_cast<void>(pool.submit([=] { return *pointer; }));
#elif WEFT_CASE == 5
  static_cast<void>(pool.submit([text] { return text.size(); }));
#endif
}
