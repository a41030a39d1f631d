#pragma once
// The inside of the arena; arena.hpp and loan_book.hpp are what other rooms include.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/atomic.hpp"
#include "base/result.hpp"
#include "memory/arena.hpp"
#include "memory/block.hpp"
#include "memory/region.hpp"
#include "memory/size_class.hpp"

namespace weft::memory {

struct Chunk;

/// A chunk's place in one list.
struct ChunkLinks {
  Chunk* previous = nullptr;
  Chunk* next = nullptr;
  bool linked = false;
};

/// What the owner knows of one block. Left uninitialised until the block is handed out for the first time, so
/// that a big chunk of small blocks costs no bookkeeping that is not used.
struct BlockSlot {
  std::uint32_t handles;    // Block handles and loans; counted without the mutex, through std::atomic_ref
  std::uint32_t next_free;  // guarded by the mutex
};

/// One sealed region, cut into blocks of one size. Fields but id, slot, region and core change under the
/// core's mutex; block_bytes and slots only while no block is out.
struct Chunk {
  ArenaCore* core = nullptr;
  OwnedRegion region;
  std::uint32_t id = 0;    // on the wire; never used again
  std::uint32_t slot = 0;  // in ArenaCore::chunks_ and in LoanBook::sent_; used again
  std::uint32_t size_class = 0;
  std::uint32_t block_count = 0;
  std::uint64_t block_bytes = 0;
  std::uint32_t fresh = 0;      // blocks from here on have never been handed out
  std::uint32_t free_head = 0;  // of the list through BlockSlot::next_free; kNoBlock at its end
  std::uint32_t live = 0;       // handed out
  std::uint32_t slot_capacity = 0;
  std::unique_ptr<BlockSlot[]> slots;
  ChunkLinks in_open;  // ArenaCore::open_[size_class]: has a free block
  ChunkLinks in_warm;  // ArenaCore::warm_: has no block out
};

inline constexpr std::uint32_t kNoBlock = ~std::uint32_t{0};

/// A list through the chunks themselves, so that no list operation can fail.
template <ChunkLinks Chunk::*kLinks>
class ChunkList {
 public:
  [[nodiscard]] Chunk* front() const noexcept { return front_; }
  [[nodiscard]] Chunk* back() const noexcept { return back_; }
  [[nodiscard]] static Chunk* after(const Chunk& chunk) noexcept { return (chunk.*kLinks).next; }
  void push_front(Chunk& chunk) noexcept { insert(chunk, nullptr, front_); }
  void push_back(Chunk& chunk) noexcept { insert(chunk, back_, nullptr); }
  void remove(Chunk& chunk) noexcept {
    ChunkLinks& links = chunk.*kLinks;
    if (!links.linked) return;
    (links.previous != nullptr ? (links.previous->*kLinks).next : front_) = links.next;
    (links.next != nullptr ? (links.next->*kLinks).previous : back_) = links.previous;
    links = {};
  }

 private:
  void insert(Chunk& chunk, Chunk* previous, Chunk* next) noexcept {
    chunk.*kLinks = {previous, next, true};
    (previous != nullptr ? (previous->*kLinks).next : front_) = &chunk;
    (next != nullptr ? (next->*kLinks).previous : back_) = &chunk;
  }
  Chunk* front_ = nullptr;
  Chunk* back_ = nullptr;
};

/// What an Arena, its LoanBooks and its Blocks share. Each of them is a pin; the last one deletes the core.
class ArenaCore {
 public:
  explicit ArenaCore(const ArenaOptions& options) noexcept
      : options_{options}, warm_bytes_max_{options.warm_bytes_max} {}

  base::Result<Block> allocate(std::uint64_t bytes);
  /// The last handle of a block is gone.
  void give_back(Chunk& chunk, std::uint32_t index) noexcept;
  void trim(std::uint64_t keep_bytes) noexcept;
  [[nodiscard]] ArenaStats stats() noexcept;

  void pin() noexcept;
  void unpin() noexcept;
  /// The Arena is gone: no chunk is kept warm any more.
  void close() noexcept;

  /// Grows with each chunk that goes back to the system: whoever remembers chunks looks again when it has
  /// changed.
  [[nodiscard]] std::uint64_t retired_count() const noexcept {
    // Relaxed is enough: find_retired() takes the mutex before it believes anything.
    return retired_count_.load(base::relaxed);
  }
  /// Sets each id in `sent` (by slot) whose chunk is gone to 0 and appends it to `retired`.
  /// Returns the retired_count() that this answer holds for. Throws std::bad_alloc, having lost nothing.
  std::uint64_t find_retired(std::vector<std::uint32_t>& sent, std::vector<std::uint32_t>& retired);

 private:
  using OpenList = ChunkList<&Chunk::in_open>;
  using WarmList = ChunkList<&Chunk::in_warm>;
  ~ArenaCore() = default;

  // With the mutex held:
  Block take(Chunk& chunk, std::uint64_t bytes) noexcept;
  Chunk* reuse_warm(std::uint32_t size_class, std::uint64_t bytes) noexcept;
  bool cut(Chunk& chunk, std::uint32_t size_class) noexcept;
  [[nodiscard]] std::uint64_t chunk_bytes_wanted(std::uint32_t size_class,
                                                 std::uint64_t bytes) const noexcept;
  [[nodiscard]] Chunk* detach_beyond(std::uint64_t keep_bytes) noexcept;
  void limit_warm(std::optional<std::uint64_t> headroom_bytes) noexcept;
  [[nodiscard]] bool is_unused() const noexcept { return pins_ == 0 && blocks_ == 0; }

  // Without:
  static void destroy(Chunk* detached) noexcept;
  base::Result<Block> grow(std::uint32_t size_class, std::uint64_t bytes);
  base::Result<std::unique_ptr<Chunk>> create_chunk(std::uint64_t chunk_bytes);
  base::Result<Block> adopt(std::unique_ptr<Chunk> chunk, std::uint32_t size_class, std::uint64_t bytes);

  const ArenaOptions options_;
  // Not base::Mutex, which its last user may not destroy while another is still on its way out of unlock().
  std::mutex mutex_;
  std::array<OpenList, kSharedClasses> open_;
  std::array<std::uint64_t, kSharedClasses + 1> class_bytes_{};  // reserved by the chunks of each class
  WarmList warm_;                                                // emptied last in front
  std::uint64_t warm_bytes_max_;
  std::uint64_t warm_bytes_ = 0;
  std::uint64_t reserved_bytes_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t pins_ = 0;                      // Arena and LoanBooks; blocks_ are pins too
  std::vector<std::unique_ptr<Chunk>> chunks_;  // by slot
  std::vector<std::uint32_t> free_slots_;       // always has room for all of chunks_
  base::Atomic<std::uint64_t> retired_count_{0};
};

}  // namespace weft::memory
