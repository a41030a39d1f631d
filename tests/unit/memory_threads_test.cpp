// The arena from several threads; built with ThreadSanitizer from the sources of base and memory (SANITIZE
// thread).

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "memory/arena.hpp"
#include "memory/loan_book.hpp"

namespace weft::memory {
namespace {

using base::Result;

constexpr std::uint64_t kMiB = 1U << 20;

/// Blocks on their way from one thread to another, with the mark that they were filled with.
class Exchange {
 public:
  struct Item {
    Block block;
    unsigned char mark = 0;
  };
  void put(Item item) {
    const std::lock_guard lock{mutex_};
    items_.push_back(std::move(item));
  }
  Item take() {
    const std::lock_guard lock{mutex_};
    if (items_.empty()) return {};
    Item item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::deque<Item> items_;
};

/// Allocates, fills, passes on, checks and lends blocks; the number of bytes that were not what they had to
/// be.
std::size_t work(Arena& arena, Exchange& exchange, unsigned seed) {
  std::mt19937 random{seed};
  LoanBook book{arena};
  std::vector<std::uint64_t> loans;
  std::vector<std::uint32_t> retired;
  std::size_t wrong = 0;
  for (int step = 0; step < 3000; ++step) {
    Result<Block> block = arena.allocate(random() % (std::uint64_t{1} << (random() % 18)));
    if (!block) return ~std::size_t{0};
    const auto mark = static_cast<unsigned char>(random());
    std::memset(block->data(), mark, block->size());
    if (book.needs_chunk(*block)) wrong += book.chunk_sent(*block) ? 0 : 1;
    if (random() % 4 == 0) {
      Result<std::uint64_t> id = book.lend(*block);
      if (id) loans.push_back(*id);
    }
    exchange.put({std::move(*block), mark});

    const Exchange::Item item = exchange.take();
    for (const std::byte byte : item.block.bytes())
      wrong += byte != static_cast<std::byte>(item.mark) ? 1 : 0;
    if (loans.size() > 20) {
      wrong += book.give_back(loans.back()) ? 0 : 1;
      loans.pop_back();
    }
    if (random() % 256 == 0) arena.trim(random() % kMiB);
    if (random() % 64 == 0) {
      retired.clear();
      book.take_retired(retired);
    }
  }
  return wrong;
}

TEST(ArenaThreads, share_one_arena_without_disturbing_each_other) {
  constexpr unsigned kThreads = 4;
  Arena arena{{.warm_bytes_max = 2 * kMiB}};
  {
    Exchange exchange;
    std::array<std::size_t, kThreads> wrong{};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { wrong[i] = work(arena, exchange, i + 1); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::size_t count : wrong) EXPECT_EQ(count, 0U);
  }
  EXPECT_EQ(arena.stats().blocks, 0U);
  arena.trim();
  EXPECT_EQ(arena.stats().chunks, 0U);
}

TEST(ArenaThreads, may_drop_handles_of_one_block_at_the_same_time) {
  Arena arena;
  for (int round = 0; round < 200; ++round) {
    Result<Block> block = arena.allocate(64);
    ASSERT_TRUE(block);
    block->data()[0] = std::byte{1};
    std::thread other{[copy = *block]() mutable {
      copy.data()[1] = std::byte{2};
      copy.reset();
    }};
    block->data()[2] = std::byte{3};
    block->reset();
    other.join();
    ASSERT_EQ(arena.stats().blocks, 0U);
  }
}

TEST(ArenaThreads, may_hold_blocks_when_the_arena_goes) {
  for (int round = 0; round < 50; ++round) {
    auto arena = std::make_unique<Arena>();
    std::vector<Block> blocks;
    for (int i = 0; i < 10; ++i) {
      Result<Block> block = arena->allocate(1000);
      ASSERT_TRUE(block);
      blocks.push_back(std::move(*block));
    }
    std::thread other{[mine = std::move(blocks)]() mutable {
      for (Block& block : mine) {
        block.data()[0] = std::byte{1};
        block.reset();
      }
    }};
    arena.reset();
    other.join();
  }
}

}  // namespace
}  // namespace weft::memory
