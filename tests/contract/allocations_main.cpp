// Counts allocations, and bytes copied in large pieces, by standing in for the C library's functions. Its workers are
// this same program and count too.

#include <gtest/gtest.h>

#include <atomic>
#include <weft/init.hpp>

#include "contract/counted.hpp"

namespace weft::contract {
namespace {
std::atomic<std::uint64_t> allocations{0};
std::atomic<std::uint64_t> copied_bytes{0};
}  // namespace
std::uint64_t allocations_so_far() { return allocations.load(); }
std::uint64_t copied_bytes_so_far() { return copied_bytes.load(); }
}  // namespace weft::contract

extern "C" {

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  ++weft::contract::allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++weft::contract::allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  ++weft::contract::allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++weft::contract::allocations;
  return __libc_memalign(alignment, size);
}
#endif

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void* memcpy(void* __restrict to, const void* __restrict from, std::size_t size) noexcept {
  if (size >= weft::contract::kLargeBytes) weft::contract::copied_bytes += size;
  void* const start = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return start;
}
void* memmove(void* to, const void* from, std::size_t size) noexcept {
  if (size >= weft::contract::kLargeBytes) weft::contract::copied_bytes += size;
  void* const start = to;
  if (reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from) >= size) {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
  }
  to = static_cast<char*>(to) + size - 1;
  from = static_cast<const char*>(from) + size - 1;
  asm volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return start;
}
#endif
}

int main(int argc, char** argv) {
  weft::init(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
