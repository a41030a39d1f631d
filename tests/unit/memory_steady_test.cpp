// An executable of its own, since it replaces operator new: what is counted must be all there is.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "memory/arena.hpp"
#include "memory/loan_book.hpp"

namespace {
thread_local std::size_t allocations = 0;
}  // namespace

// All forms, since a sanitizer's own do not go through each other. Not inlined: GCC would see malloc's result
// given to delete, and warn.
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes != 0 ? bytes : 1);
}
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (void* const found = operator new(bytes, std::nothrow)) return found;
  throw std::bad_alloc{};
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return operator new(bytes, std::nothrow);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { operator delete(memory); }

namespace weft::memory {
namespace {

TEST(Arena, allocates_nothing_in_the_steady_state) {
  Arena arena;
  LoanBook book{arena};
  std::vector<std::uint64_t> loans(32);
  std::vector<std::uint32_t> retired;
  const auto round = [&] {
    for (std::size_t i = 0; i < loans.size(); ++i) {
      base::Result<Block> block = arena.allocate(std::uint64_t{1} << (i % 21));
      ASSERT_TRUE(block);
      if (book.needs_chunk(*block)) {
        ASSERT_TRUE(book.chunk_sent(*block));
      }
      const Block copy = *block;
      base::Result<std::uint64_t> id = book.lend(copy);
      ASSERT_TRUE(id);
      loans[i] = *id;
    }
    for (const std::uint64_t id : loans) ASSERT_TRUE(book.give_back(id));
    book.take_retired(retired);
  };
  round();
  EXPECT_GT(allocations, 0U);
  allocations = 0;
  for (int i = 0; i < 100; ++i) round();
  EXPECT_EQ(allocations, 0U);
}

}  // namespace
}  // namespace weft::memory
