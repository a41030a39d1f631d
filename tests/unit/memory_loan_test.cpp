#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "memory/arena.hpp"
#include "memory/chunk_map.hpp"
#include "memory/loan_book.hpp"

namespace weft::memory {
namespace {

using base::Fault;
using base::Result;
using base::UniqueFd;

constexpr std::uint64_t kMiB = 1U << 20;

Block allocate(Arena& arena, std::uint64_t bytes) {
  Result<Block> block = arena.allocate(bytes);
  EXPECT_TRUE(block) << block.fault().message;
  return block ? std::move(*block) : Block{};
}

std::uint64_t lend(LoanBook& book, Block block) {
  Result<std::uint64_t> id = book.lend(std::move(block));
  EXPECT_TRUE(id);
  return id ? *id : 0;
}

UniqueFd duplicate(int fd) { return UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 0)}; }

bool is_violation(const Fault& fault) { return fault.kind == Fault::Kind::violation; }

TEST(LoanBook, holds_a_block_until_the_peer_gives_it_back) {
  Arena arena;
  LoanBook book{arena};
  const std::uint64_t id = lend(book, allocate(arena, 100));
  EXPECT_NE(id, 0U);
  EXPECT_EQ(book.outstanding(), 1U);
  EXPECT_EQ(arena.stats().blocks, 1U);
  EXPECT_TRUE(book.give_back(id));
  EXPECT_EQ(book.outstanding(), 0U);
  EXPECT_EQ(arena.stats().blocks, 0U);
}

TEST(LoanBook, lends_one_block_to_many_peers) {
  Arena arena;
  LoanBook first{arena};
  LoanBook second{arena};
  Block block = allocate(arena, 100);
  const std::uint64_t one = lend(first, block);
  const std::uint64_t two = lend(second, block);
  const std::uint64_t three = lend(second, block);
  EXPECT_NE(two, three);
  block.reset();
  EXPECT_TRUE(first.give_back(one));
  EXPECT_TRUE(second.give_back(three));
  EXPECT_EQ(arena.stats().blocks, 1U);
  EXPECT_TRUE(second.give_back(two));
  EXPECT_EQ(arena.stats().blocks, 0U);
}

TEST(LoanBook, refuses_what_was_never_lent) {
  Arena arena;
  LoanBook book{arena};
  EXPECT_FALSE(book.give_back(0));
  const std::uint64_t id = lend(book, allocate(arena, 1));
  for (const std::uint64_t wrong :
       {std::uint64_t{0}, id + 1, id + (std::uint64_t{1} << 32), ~std::uint64_t{0}, id & 0xffff'ffffU,
        (id & 0xffff'ffff'0000'0000U) | 0xffff'ffffU}) {
    EXPECT_FALSE(book.give_back(wrong)) << wrong;
  }
  EXPECT_EQ(book.outstanding(), 1U);
  EXPECT_TRUE(book.give_back(id));
}

TEST(LoanBook, refuses_a_second_return_even_when_the_place_is_used_again) {
  Arena arena;
  LoanBook book{arena};
  const std::uint64_t first = lend(book, allocate(arena, 1));
  EXPECT_TRUE(book.give_back(first));
  EXPECT_FALSE(book.give_back(first));
  const std::uint64_t second = lend(book, allocate(arena, 1));
  EXPECT_NE(first, second);
  EXPECT_FALSE(book.give_back(first));
  EXPECT_TRUE(book.give_back(second));
}

TEST(LoanBook, survives_any_guess_of_a_hostile_peer) {
  Arena arena;
  LoanBook book{arena};
  std::mt19937_64 random{7};
  std::vector<std::uint64_t> lent;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      lent.push_back(lend(book, allocate(arena, random() % 5000)));
    } else {
      const std::uint64_t guess = random() % 4 << 32 | random() % 64;
      const auto found = std::find(lent.begin(), lent.end(), guess);
      ASSERT_EQ(book.give_back(guess), found != lent.end());
      if (found != lent.end()) lent.erase(found);
    }
    ASSERT_EQ(book.outstanding(), lent.size());
    ASSERT_EQ(arena.stats().blocks, lent.size());
  }
}

TEST(LoanBook, gives_back_the_blocks_of_a_dead_borrower) {
  Arena arena;
  Block kept = allocate(arena, 100);
  {
    LoanBook book{arena};
    std::vector<std::uint64_t> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(lend(book, allocate(arena, 1000)));
    lend(book, kept);
    EXPECT_TRUE(book.give_back(ids[3]));
    EXPECT_EQ(book.reclaim_all(), 10U);
    EXPECT_EQ(arena.stats().blocks, 1U);
    EXPECT_EQ(book.reclaim_all(), 0U);
    // What it had posted before it died is refused now.
    for (const std::uint64_t id : ids) EXPECT_FALSE(book.give_back(id));
    lend(book, allocate(arena, 1000));
    lend(book, kept);
  }
  EXPECT_EQ(arena.stats().blocks, 1U);
  EXPECT_TRUE(kept.is_sole());
}

TEST(LoanBook, outlives_its_arena) {
  auto arena = std::make_unique<Arena>();
  auto book = std::make_unique<LoanBook>(*arena);
  const std::uint64_t id = lend(*book, allocate(*arena, 100));
  lend(*book, allocate(*arena, 70 * kMiB));
  arena.reset();
  EXPECT_TRUE(book->give_back(id));
  std::vector<std::uint32_t> retired;
  EXPECT_FALSE(book->take_retired(retired));
}

TEST(LoanBook, knows_which_chunks_the_peer_has) {
  Arena arena;
  LoanBook book{arena};
  LoanBook other{arena};
  const Block block = allocate(arena, 100);
  const Block neighbour = allocate(arena, 100);
  const Block elsewhere = allocate(arena, kMiB);
  ASSERT_EQ(block.ref().chunk, neighbour.ref().chunk);
  EXPECT_TRUE(book.needs_chunk(block));
  EXPECT_TRUE(book.chunk_sent(block));
  EXPECT_FALSE(book.needs_chunk(block));
  EXPECT_FALSE(book.needs_chunk(neighbour));
  EXPECT_TRUE(book.needs_chunk(elsewhere));
  EXPECT_TRUE(other.needs_chunk(block));
}

TEST(LoanBook, tells_of_each_chunk_that_is_gone_once_and_only_if_the_peer_had_it) {
  Arena arena;
  LoanBook book{arena};
  Block sent = allocate(arena, 80 * kMiB);
  Block unsent = allocate(arena, 80 * kMiB);
  Block staying = allocate(arena, 100);
  ASSERT_TRUE(book.chunk_sent(sent));
  ASSERT_TRUE(book.chunk_sent(staying));
  const std::uint32_t chunk = sent.ref().chunk;
  std::vector<std::uint32_t> retired;
  EXPECT_FALSE(book.take_retired(retired));
  sent.reset();
  unsent.reset();
  EXPECT_FALSE(book.take_retired(retired)) << "it is warm, and still mapped";
  arena.trim();
  EXPECT_TRUE(book.take_retired(retired));
  EXPECT_EQ(retired, std::vector<std::uint32_t>{chunk});
  EXPECT_FALSE(book.take_retired(retired));
  EXPECT_EQ(retired.size(), 1U);
  EXPECT_FALSE(book.needs_chunk(staying));
}

TEST(LoanBook, tells_of_a_chunk_whose_place_another_has_taken) {
  Arena arena{{.warm_bytes_max = 0}};
  LoanBook book{arena};
  Block first = allocate(arena, 100);
  const std::uint32_t gone = first.ref().chunk;
  ASSERT_TRUE(book.chunk_sent(first));
  first.reset();
  const Block second = allocate(arena, 100);
  ASSERT_NE(second.ref().chunk, gone);
  EXPECT_TRUE(book.needs_chunk(second));
  ASSERT_TRUE(book.chunk_sent(second));
  std::vector<std::uint32_t> retired;
  EXPECT_TRUE(book.take_retired(retired));
  EXPECT_EQ(retired, std::vector<std::uint32_t>{gone});
  EXPECT_FALSE(book.needs_chunk(second));
}

TEST(LoanBook, refuses_a_block_of_another_arena) {
  Arena arena;
  Arena other;
  LoanBook book{arena};
  const Block block = allocate(other, 1);
  EXPECT_DEATH(static_cast<void>(book.lend(block)), "own arena");
  EXPECT_DEATH(static_cast<void>(book.lend(Block{})), "own arena");
}

/// A sender's arena and what its peer has mapped of it.
class SentBlocks : public testing::Test {
 protected:
  Result<BlockView> send(const Block& block) {
    if (book_.needs_chunk(block)) {
      const ChunkInfo chunk = block.chunk();
      const Result<void> adopted = map_.adopt(chunk.id, duplicate(chunk.fd), chunk.bytes);
      EXPECT_TRUE(adopted) << adopted.fault().message;
      EXPECT_TRUE(book_.chunk_sent(block));
    }
    return map_.resolve(block.ref());
  }
  Arena arena_;
  LoanBook book_{arena_};
  ChunkMap map_;
};

TEST_F(SentBlocks, are_read_in_place) {
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{5000}, kMiB, 65 * kMiB}) {
    const Block block = allocate(arena_, bytes);
    if (bytes != 0) {
      block.data()[0] = std::byte{1};
      block.data()[bytes - 1] = std::byte{2};
    }
    Result<BlockView> view = send(block);
    ASSERT_TRUE(view) << view.fault().message;
    ASSERT_EQ(view->bytes.size(), bytes);
    if (bytes != 0) {
      EXPECT_NE(view->bytes.data(), block.data());
      EXPECT_EQ(view->bytes[bytes - 1], std::byte{2});
    }
  }
}

TEST_F(SentBlocks, of_more_than_2_gib_are_read_in_place) {
  constexpr std::uint64_t kBytes = (std::uint64_t{2} << 30) + 1;
  Result<Block> block = arena_.allocate(kBytes);
  if (!block && block.fault().message.find("memory and swap left") != std::string::npos) {
    GTEST_SKIP() << block.fault().message;
  }
  ASSERT_TRUE(block) << block.fault().message;
  block->data()[0] = std::byte{1};
  block->data()[kBytes - 1] = std::byte{2};
  Result<BlockView> view = send(*block);
  ASSERT_TRUE(view) << view.fault().message;
  ASSERT_EQ(view->bytes.size(), kBytes);
  EXPECT_EQ(view->bytes[0], std::byte{1});
  EXPECT_EQ(view->bytes[kBytes - 1], std::byte{2});
  // More than is ever kept warm, so it goes back to the system at once.
  block->reset();
  EXPECT_EQ(arena_.stats().reserved_bytes, 0U);
}

TEST_F(SentBlocks, stay_readable_through_a_view_after_their_chunk_was_retired) {
  Block block = allocate(arena_, 80 * kMiB);
  block.data()[80 * kMiB - 1] = std::byte{9};
  Result<BlockView> view = send(block);
  ASSERT_TRUE(view);
  block.reset();
  arena_.trim();
  std::vector<std::uint32_t> retired;
  ASSERT_TRUE(book_.take_retired(retired));
  ASSERT_EQ(retired.size(), 1U);
  EXPECT_TRUE(map_.retire(retired[0]));
  EXPECT_EQ(map_.count(), 0U);
  EXPECT_EQ(view->bytes[80 * kMiB - 1], std::byte{9});
}

TEST_F(SentBlocks, are_refused_beyond_the_end_of_their_chunk) {
  const Block block = allocate(arena_, 100);
  ASSERT_TRUE(send(block));
  const std::uint32_t chunk = block.ref().chunk;
  const std::uint64_t end = block.chunk().bytes;
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  EXPECT_TRUE(map_.resolve({chunk, 0, 0, end}));
  EXPECT_TRUE(map_.resolve({chunk, 0, end, 0}));
  for (const BlockRef& ref :
       {BlockRef{chunk, 0, 0, end + 1}, BlockRef{chunk, 0, end, 1}, BlockRef{chunk, 0, end + 1, 0},
        BlockRef{chunk, 0, 1, kMax}, BlockRef{chunk, 0, kMax, 1}, BlockRef{chunk, 0, kMax, kMax},
        BlockRef{chunk, 0, kMax - end + 1, end}, BlockRef{chunk, 0, 100, kMax - 99}}) {
    const Result<BlockView> view = map_.resolve(ref);
    ASSERT_FALSE(view) << ref.offset << " " << ref.length;
    EXPECT_TRUE(is_violation(view.fault()));
  }
}

TEST_F(SentBlocks, are_refused_in_a_chunk_that_was_not_announced) {
  const Block block = allocate(arena_, 100);
  const Result<BlockView> unknown = map_.resolve(block.ref());
  ASSERT_FALSE(unknown);
  EXPECT_TRUE(is_violation(unknown.fault()));
  EXPECT_NE(unknown.fault().message.find("chunk " + std::to_string(block.ref().chunk)), std::string::npos);
  ASSERT_TRUE(send(block));
  ASSERT_TRUE(map_.retire(block.ref().chunk));
  EXPECT_FALSE(map_.resolve(block.ref()));
  EXPECT_FALSE(map_.resolve({}));
}

TEST(ChunkMap, refuses_ids_and_regions_that_do_not_hold) {
  Arena arena;
  const Block block = allocate(arena, 100);
  const ChunkInfo chunk = block.chunk();
  ChunkMap map;
  EXPECT_TRUE(is_violation(map.adopt(0, duplicate(chunk.fd), chunk.bytes).fault()));
  EXPECT_TRUE(is_violation(map.adopt(5, duplicate(chunk.fd), chunk.bytes + 1).fault()));
  EXPECT_TRUE(is_violation(map.adopt(5, UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}, 1).fault()));
  EXPECT_TRUE(is_violation(map.retire(5).fault()));
  EXPECT_EQ(map.count(), 0U);
  EXPECT_TRUE(map.adopt(5, duplicate(chunk.fd), chunk.bytes));
  EXPECT_TRUE(is_violation(map.adopt(5, duplicate(chunk.fd), chunk.bytes).fault()));
  EXPECT_EQ(map.count(), 1U);
}

TEST(ChunkMap, bounds_what_a_peer_can_make_it_map) {
  Arena arena;
  const Block block = allocate(arena, 100);
  const ChunkInfo chunk = block.chunk();
  ChunkMap map;
  for (std::uint32_t id = 1; id <= base::kPeerChunksMax; ++id) {
    ASSERT_TRUE(map.adopt(id, duplicate(chunk.fd), chunk.bytes));
  }
  EXPECT_TRUE(is_violation(map.adopt(1U << 31, duplicate(chunk.fd), chunk.bytes).fault()));
}

TEST(ChunkMap, finds_chunks_announced_in_any_order) {
  Arena arena;
  const Block block = allocate(arena, 100);
  const ChunkInfo chunk = block.chunk();
  ChunkMap map;
  std::vector<std::uint32_t> ids(200);
  for (std::uint32_t i = 0; i < ids.size(); ++i) ids[i] = i * 7 + 1;
  std::mt19937 random{1};
  std::shuffle(ids.begin(), ids.end(), random);
  for (const std::uint32_t id : ids) ASSERT_TRUE(map.adopt(id, duplicate(chunk.fd), chunk.bytes));
  std::shuffle(ids.begin(), ids.end(), random);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ASSERT_TRUE(map.resolve({ids[i], 0, 0, 1}));
    ASSERT_TRUE(map.retire(ids[i]));
    ASSERT_FALSE(map.resolve({ids[i], 0, 0, 1}));
    if (i + 1 < ids.size()) {
      ASSERT_TRUE(map.resolve({ids[i + 1], 0, 0, 1}));
    }
  }
  EXPECT_EQ(map.count(), 0U);
}

}  // namespace
}  // namespace weft::memory
