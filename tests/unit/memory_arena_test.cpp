#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "memory/arena.hpp"
#include "memory/size_class.hpp"
#include "memory_in_child.hpp"

namespace weft::memory {
namespace {

using base::Result;
using memory_test::succeeds_in_child;

constexpr std::uint64_t kKiB = 1U << 10;
constexpr std::uint64_t kMiB = 1U << 20;

Block allocate(Arena& arena, std::uint64_t bytes) {
  Result<Block> block = arena.allocate(bytes);
  EXPECT_TRUE(block) << block.fault().message;
  return block ? std::move(*block) : Block{};
}

TEST(SizeClass, is_the_smallest_that_holds_the_bytes) {
  for (std::uint32_t size_class = 0; size_class < kSharedClasses; ++size_class) {
    const std::uint64_t bytes = class_bytes(size_class);
    EXPECT_EQ(class_of(bytes), size_class);
    EXPECT_EQ(class_of(bytes + 1), size_class + 1);
    EXPECT_EQ(bytes % 64, 0U);
    if (size_class >= kSmallClasses) {
      EXPECT_LE(class_bytes(size_class) * 4, class_bytes(size_class - 1) * 5);
    }
  }
  EXPECT_EQ(class_of(0), 0U);
  EXPECT_EQ(class_of(~std::uint64_t{0}), kOwnChunkClass);
}

TEST(Arena, hands_out_blocks_of_every_size) {
  Arena arena;
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{64}, std::uint64_t{65}, 4 * kKiB, 4 * kKiB + 1,
        256 * kKiB, kMiB, 3 * kMiB + 7, 64 * kMiB, 64 * kMiB + 1}) {
    const Block block = allocate(arena, bytes);
    ASSERT_TRUE(block);
    EXPECT_EQ(block.size(), bytes);
    EXPECT_GE(block.capacity(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % 64, 0U);
    std::memset(block.data(), 1, block.capacity());
    const BlockRef ref = block.ref();
    EXPECT_NE(ref.chunk, 0U);
    EXPECT_EQ(ref.length, bytes);
    EXPECT_LE(ref.offset + block.capacity(), block.chunk().bytes);
    EXPECT_EQ(ref.chunk, block.chunk().id);
  }
}

TEST(Arena, uses_the_memory_of_a_block_that_came_back) {
  Arena arena;
  for (const std::uint64_t bytes : {std::uint64_t{1}, 5 * kKiB, kMiB, 16 * kMiB, 100 * kMiB}) {
    const BlockRef first = allocate(arena, bytes).ref();
    const std::size_t chunks = arena.stats().chunks;
    EXPECT_EQ(allocate(arena, bytes).ref(), first);
    EXPECT_EQ(arena.stats().chunks, chunks);
  }
}

TEST(Arena, cuts_an_empty_chunk_anew_rather_than_reserving_more) {
  Arena arena;
  allocate(arena, 2 * kMiB).reset();
  const ArenaStats before = arena.stats();
  EXPECT_EQ(before.warm_bytes, 2 * kMiB);
  // Another class, which fits into the chunk.
  const Block block = allocate(arena, kMiB + 512 * kKiB);
  EXPECT_EQ(arena.stats().chunks, before.chunks);
  EXPECT_EQ(arena.stats().warm_bytes, 0U);
}

TEST(Arena, keeps_no_more_than_its_bound_warm) {
  Arena arena{{.warm_bytes_max = 20 * kMiB}};
  std::vector<Block> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(allocate(arena, 70 * kMiB));
  blocks.clear();
  EXPECT_EQ(arena.stats().reserved_bytes, 0U);
  for (int i = 0; i < 40; ++i) blocks.push_back(allocate(arena, kMiB));
  EXPECT_GE(arena.stats().reserved_bytes, 40 * kMiB);
  blocks.clear();
  EXPECT_LE(arena.stats().warm_bytes, 20 * kMiB);
  EXPECT_EQ(arena.stats().warm_bytes, arena.stats().reserved_bytes);
  EXPECT_GT(arena.stats().warm_bytes, 0U);
}

TEST(Arena, gives_back_what_was_emptied_longest_ago_first) {
  Arena arena{{.warm_bytes_max = 250 * kMiB}};
  Block old = allocate(arena, 80 * kMiB);
  Block young = allocate(arena, 90 * kMiB);
  Block last = allocate(arena, 110 * kMiB);
  const std::uint32_t young_chunk = young.ref().chunk;
  old.reset();
  young.reset();
  last.reset();
  EXPECT_EQ(arena.stats().chunks, 2U);
  EXPECT_EQ(allocate(arena, 80 * kMiB).ref().chunk, young_chunk);
}

TEST(Arena, trim_returns_all_that_is_empty_and_nothing_else) {
  Arena arena;
  const Block held = allocate(arena, 1000);
  std::memset(held.data(), 7, held.size());
  allocate(arena, 10 * kMiB).reset();
  allocate(arena, 200 * kKiB).reset();
  EXPECT_EQ(arena.stats().chunks, 3U);
  arena.trim();
  EXPECT_EQ(arena.stats().chunks, 1U);
  EXPECT_EQ(arena.stats().warm_bytes, 0U);
  EXPECT_EQ(std::count(held.data(), held.data() + 1000, std::byte{7}), 1000);
}

TEST(Arena, fills_chunks_in_use_before_empty_ones) {
  Arena arena;
  std::vector<Block> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(allocate(arena, 16 * kKiB));
  const std::uint32_t used = blocks.front().ref().chunk;
  ASSERT_NE(blocks.back().ref().chunk, used);
  // One block stays out, and one is free beside it; the chunks emptied since are the freshest.
  blocks.erase(blocks.begin() + 2, blocks.end());
  blocks.pop_back();
  EXPECT_EQ(allocate(arena, 16 * kKiB).ref().chunk, used);
}

TEST(Arena, needs_few_chunks_for_many_blocks) {
  Arena arena;
  std::vector<Block> blocks;
  for (int i = 0; i < 2000; ++i) blocks.push_back(allocate(arena, 64 * kKiB));
  const ArenaStats stats = arena.stats();
  EXPECT_EQ(stats.blocks, 2000U);
  EXPECT_LT(stats.chunks, 50U);
  EXPECT_LT(stats.reserved_bytes, 2000 * 64 * kKiB * 3 / 2);
}

TEST(Arena, never_uses_the_id_of_a_chunk_again) {
  Arena arena{{.warm_bytes_max = 0}};
  Arena other{{.warm_bytes_max = 0}};
  std::set<std::uint32_t> ids;
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(ids.insert(allocate(arena, 100).ref().chunk).second);
    EXPECT_TRUE(ids.insert(allocate(other, 100).ref().chunk).second);
  }
}

TEST(Block, is_shared_by_its_copies_and_goes_back_with_the_last) {
  Arena arena;
  Block one = allocate(arena, 100);
  EXPECT_TRUE(one.is_sole());
  Block two = one;
  EXPECT_FALSE(one.is_sole());
  EXPECT_EQ(two.data(), one.data());
  one = Block{};
  EXPECT_TRUE(two.is_sole());
  EXPECT_EQ(arena.stats().blocks, 1U);
  Block three = std::move(two);
  EXPECT_FALSE(two);  // NOLINT(bugprone-use-after-move): that it is empty is what is tested
  three.reset();
  EXPECT_EQ(arena.stats().blocks, 0U);
}

TEST(Block, outlives_its_arena) {
  auto arena = std::make_unique<Arena>();
  Block small = allocate(*arena, 100);
  Block large = allocate(*arena, 70 * kMiB);
  Block copy = small;
  arena.reset();
  std::memset(small.data(), 1, small.size());
  large.data()[70 * kMiB - 1] = std::byte{1};
  small.reset();
  EXPECT_EQ(copy.data()[99], std::byte{1});
}

TEST(Block, is_resized_within_its_capacity_and_narrowed_within_its_size) {
  Arena arena;
  Block block = allocate(arena, 100);
  EXPECT_EQ(block.capacity(), 128U);
  block.resize(128);
  EXPECT_EQ(block.size(), 128U);
  const BlockRef whole = block.ref();
  block.narrow(28, 50);
  EXPECT_EQ(block.size(), 50U);
  EXPECT_EQ(block.capacity(), 100U);
  EXPECT_EQ(block.ref(), (BlockRef{whole.chunk, 0, whole.offset + 28, 50}));
  EXPECT_DEATH(block.resize(101), "beyond its capacity");
  EXPECT_DEATH(block.narrow(1, 50), "bytes that it has");
  EXPECT_DEATH(block.narrow(~std::uint64_t{0}, 2), "bytes that it has");
}

/// Blocks held by the test, by their place in shared memory, so that neighbours can be compared.
class HeldBlocks {
 public:
  void add(Block block, unsigned char mark) {
    const BlockRef ref = block.ref();
    const std::pair<std::uint32_t, std::uint64_t> key{ref.chunk, ref.offset};
    const auto after = blocks_.lower_bound(key);
    if (after != blocks_.end() && after->first.first == ref.chunk) {
      ASSERT_LE(ref.offset + block.capacity(), after->first.second);
    }
    if (after != blocks_.begin()) {
      const auto& [place, held] = *std::prev(after);
      if (place.first == ref.chunk) {
        ASSERT_LE(place.second + held.block.capacity(), ref.offset);
      }
    }
    for (const auto& part : ends_of(block)) std::memset(part.data(), mark, part.size());
    blocks_.emplace_hint(after, key, Held{std::move(block), mark});
  }
  void remove(std::size_t position) {
    const auto found = std::next(blocks_.begin(), static_cast<std::ptrdiff_t>(position));
    const Held& held = found->second;
    const auto mark = static_cast<std::byte>(held.mark);
    for (const auto& part : ends_of(held.block)) {
      ASSERT_EQ(std::count(part.begin(), part.end(), mark), static_cast<std::ptrdiff_t>(part.size()));
    }
    blocks_.erase(found);
  }
  [[nodiscard]] std::size_t count() const { return blocks_.size(); }

 private:
  struct Held {
    Block block;
    unsigned char mark;
  };
  /// The first and last line: a neighbour that reaches too far writes one of them.
  static std::array<std::span<std::byte>, 2> ends_of(const Block& block) {
    const std::span<std::byte> all = block.bytes();
    const std::size_t count = std::min<std::size_t>(all.size(), 64);
    return {all.first(count), all.last(count)};
  }
  std::map<std::pair<std::uint32_t, std::uint64_t>, Held> blocks_;
};

TEST(Arena, never_hands_out_overlapping_blocks) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    std::mt19937 random{seed};
    Arena arena{{.warm_bytes_max = 8 * kMiB}};
    HeldBlocks held;
    for (int step = 0; step < 20'000; ++step) {
      const bool grows = step % 4000 < 2000;
      if (held.count() == 0 || random() % 8 < (grows ? 5U : 3U)) {
        // Sizes spread evenly over their logarithm, up to 1 MiB.
        const std::uint64_t bytes = random() % (std::uint64_t{1} << (random() % 21));
        held.add(allocate(arena, bytes), static_cast<unsigned char>(random()));
      } else {
        held.remove(random() % held.count());
      }
      if (HasFatalFailure()) FAIL() << "seed " << seed << ", step " << step;
      if (step % 1000 == 0) arena.trim(random() % (8 * kMiB));
      ASSERT_EQ(arena.stats().blocks, held.count());
    }
    while (held.count() != 0) held.remove(held.count() - 1);
    arena.trim();
    EXPECT_EQ(arena.stats().chunks, 0U);
    EXPECT_EQ(arena.stats().reserved_bytes, 0U);
  }
}

// Sanitizers make system calls of their own. GCC defines the macros, Clang knows the features.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEFT_TEST_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT_TEST_SANITIZED
#endif

#if !defined(WEFT_TEST_SANITIZED)
TEST(Arena, makes_no_system_call_in_the_steady_state) {
  // In strict mode any system call but read, write and exit kills. malloc could pass unseen: allocations are
  // counted in memory_steady_test.cpp.
  EXPECT_TRUE(succeeds_in_child([] {
    Arena arena;
    const auto round = [&arena](std::uint64_t bytes) {
      Result<Block> block = arena.allocate(bytes);
      if (!block) ::syscall(SYS_exit, 2);
      block->data()[0] = std::byte{1};
    };
    const auto all_sizes = [&round] {
      for (const std::uint64_t bytes : {std::uint64_t{1}, 64 * kKiB, kMiB, 64 * kMiB, 100 * kMiB})
        round(bytes);
    };
    all_sizes();
    CHILD_EXPECT(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
    for (int i = 0; i < 1000; ++i) all_sizes();
    ::syscall(SYS_exit, 0);
  }));
}
#endif

}  // namespace
}  // namespace weft::memory
