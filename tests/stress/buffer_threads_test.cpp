// A Buffer's handles in several threads: whoever finds itself the only one writes after all that the others have read.
// Compiled with ThreadSanitizer, from the sources that it is made of.

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>
#include <weft/buffer.hpp>

namespace {

TEST(BufferThreads, write_in_place_after_what_the_others_have_read) {
  constexpr std::size_t kBytes = 64;
  constexpr std::size_t kReaders = 3;
  for (int round = 0; round < 200; ++round) {
    const auto mark = static_cast<std::byte>(round % 100);
    weft::Buffer buffer{kBytes};
    for (std::byte& byte : buffer.writable()) byte = mark;
    const std::byte* const place = buffer.data();
    // Relaxed, so that nothing but the handles' own count orders the reading before the writing.
    std::atomic<std::size_t> gone{0};
    std::vector<std::size_t> sums(kReaders);
    std::vector<std::thread> readers;
    readers.reserve(kReaders);
    for (std::size_t& sum : sums) {
      readers.emplace_back([&gone, &sum, handle = buffer]() mutable {
        for (const std::byte byte : handle.bytes()) sum += static_cast<std::size_t>(byte);
        handle = weft::Buffer{};
        gone.fetch_add(1, std::memory_order_relaxed);
      });
    }
    while (gone.load(std::memory_order_relaxed) != kReaders) std::this_thread::yield();
    for (std::byte& byte : buffer.writable()) byte = std::byte{255};
    EXPECT_EQ(buffer.data(), place) << "nobody else has a handle";
    // Before the threads are joined: what they did before they let go is visible to whoever has found itself alone.
    // (ThreadSanitizer does not watch the arena's shared memory, so that the sums stand for the bytes.)
    for (const std::size_t sum : sums) EXPECT_EQ(sum, kBytes * static_cast<std::size_t>(mark));
    for (std::thread& reader : readers) reader.join();
  }
}

TEST(BufferThreads, copy_before_they_write_while_others_read) {
  weft::Buffer buffer{64};
  for (std::byte& byte : buffer.writable()) byte = std::byte{1};
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([handle = buffer]() mutable {
      const std::byte* const place = handle.data();
      for (std::byte& byte : handle.writable()) byte = std::byte{2};
      EXPECT_NE(handle.data(), place);
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (const std::byte byte : buffer.bytes()) EXPECT_EQ(byte, std::byte{1});
}

}  // namespace
