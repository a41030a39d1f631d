// Counted: what the codec allocates once a thread has used it. A program of its own, since it replaces operator new.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <vector>
#include <weft/codec.hpp>

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using weft::detail::Packed;
using weft::detail::unpack;

template <class Function>
std::size_t allocations_of(Function function) {
  function();  // The first time may.
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) function();
  return allocations - before;
}

TEST(CodecSteady, packs_without_allocating) {
  const std::map<std::string, std::vector<std::string>> map{
      {"key", {"a text that does not fit into a string", "b"}}};
  const std::string text(1000, 'x');
  EXPECT_EQ(allocations_of([&] {
              const Packed<int, double> bytes{1, 2.0};
              const Packed<std::string> one{text};
              const Packed<std::string, int> two{text, 2};
              const Packed<std::map<std::string, std::vector<std::string>>> nested{map};
              const Packed<std::string_view, int> view{text, 3};
            }),
            0U);
}

TEST(CodecSteady, unpacks_without_allocating_but_for_what_the_values_hold) {
  const Packed<int, double> bytes{1, 2.0};
  const Packed<std::string_view, int> view{"a text that does not fit into a string", 3};
  EXPECT_EQ(allocations_of([&] {
              static_cast<void>(unpack<int, double>(bytes.payload()));
              static_cast<void>(unpack<std::string_view, int>(view.payload()));
            }),
            0U);
}

TEST(CodecSteady, does_not_keep_much_memory_of_one_large_value) {
  const std::vector<std::string> large(100'000, std::string(20, 'x'));
  EXPECT_GT(allocations_of([&] { const Packed<std::vector<std::string>> packed{large}; }), 100U);
}

}  // namespace
