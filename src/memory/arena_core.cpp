#include "memory/arena_core.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <mutex>
#include <new>
#include <utility>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace weft::memory {

using base::Fault;
using base::Result;

namespace {

constexpr std::uint64_t kHugeBytes = 2U << 20;

/// What a chunk that must hold `bytes` is rounded up to: a tail of 1 MiB or more is cheaper as a huge page
/// than as small ones (0.1 ms against 0.9), a shorter one is not worth the memory.
constexpr std::uint64_t chunk_bytes_for(std::uint64_t bytes) noexcept {
  return base::align_up(bytes, bytes % kHugeBytes >= kHugeBytes / 2 ? kHugeBytes : base::kChunkBytesMin);
}

/// 0 when they have run out. One series for all arenas of the process, so that a peer never sees an id twice.
std::uint32_t next_chunk_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  // Relaxed: the ids need only differ.
  const std::uint64_t id = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return id <= std::numeric_limits<std::uint32_t>::max() ? static_cast<std::uint32_t>(id) : 0;
}

std::atomic_ref<std::uint32_t> handles_of(Chunk& chunk, std::uint32_t index) noexcept {
  return std::atomic_ref{chunk.slots[index].handles};
}

}  // namespace

// --- Block ---

Block::Block(const Block& other) noexcept
    : chunk_{other.chunk_}, data_{other.data_}, size_{other.size_}, index_{other.index_} {
  // Relaxed: whoever copies holds a handle, so the count cannot reach 0 meanwhile.
  if (chunk_ != nullptr) handles_of(*chunk_, index_).fetch_add(1, std::memory_order_relaxed);
}

void Block::drop() noexcept {
  std::atomic_ref<std::uint32_t> handles = handles_of(*chunk_, index_);
  // SYNC handles: acquire, what the holders of the other handles did with the bytes; release, what this one
  // did. Being the only handle, nobody can add one, and the load alone decides.
  if (handles.load(std::memory_order_acquire) == 1 || handles.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    chunk_->core->give_back(*chunk_, index_);
  }
}

std::uint64_t Block::capacity() const noexcept {
  if (chunk_ == nullptr) return 0;
  const auto begin = static_cast<std::uint64_t>(data_ - chunk_->region.data());
  return (index_ + std::uint64_t{1}) * chunk_->block_bytes - begin;
}

void Block::resize(std::uint64_t size) noexcept {
  WEFT_CHECK(size <= capacity(), "a block cannot be resized beyond its capacity");
  size_ = size;
}

void Block::narrow(std::uint64_t offset, std::uint64_t length) noexcept {
  WEFT_CHECK(offset <= size_ && length <= size_ - offset,
             "a block can only be narrowed to bytes that it has");
  data_ += offset;
  size_ = length;
}

bool Block::is_sole() const noexcept {
  // SYNC handles: what the holders of handles that are gone did with the bytes.
  return chunk_ != nullptr && handles_of(*chunk_, index_).load(std::memory_order_acquire) == 1;
}

BlockRef Block::ref() const noexcept {
  if (chunk_ == nullptr) return {};
  return {chunk_->id, 0, static_cast<std::uint64_t>(data_ - chunk_->region.data()), size_};
}

ChunkInfo Block::chunk() const noexcept {
  if (chunk_ == nullptr) return {};
  return {chunk_->id, chunk_->region.fd(), chunk_->region.bytes()};
}

// --- handing out and giving back ---

Result<Block> ArenaCore::allocate(std::uint64_t bytes) {
  const std::uint32_t size_class = class_of(bytes);
  {
    const std::lock_guard lock{mutex_};
    Chunk* chunk = size_class < kSharedClasses ? open_[size_class].front() : nullptr;
    if (chunk == nullptr) chunk = reuse_warm(size_class, bytes);
    if (chunk != nullptr) return take(*chunk, bytes);
  }
  return grow(size_class, bytes);
}

Block ArenaCore::take(Chunk& chunk, std::uint64_t bytes) noexcept {
  std::uint32_t index = chunk.free_head;
  if (index != kNoBlock) {
    chunk.free_head = chunk.slots[index].next_free;
  } else {
    index = chunk.fresh++;
  }
  if (chunk.live++ == 0) {
    warm_.remove(chunk);
    warm_bytes_ -= chunk.region.bytes();
  }
  if (chunk.live == chunk.block_count && chunk.size_class < kSharedClasses)
    open_[chunk.size_class].remove(chunk);
  ++blocks_;
  // Relaxed: nobody else knows of the block yet.
  handles_of(chunk, index).store(1, std::memory_order_relaxed);
  return {&chunk, index, chunk.region.data() + index * chunk.block_bytes, bytes};
}

void ArenaCore::give_back(Chunk& chunk, std::uint32_t index) noexcept {
  Chunk* detached = nullptr;
  bool unused = false;
  {
    const std::lock_guard lock{mutex_};
    chunk.slots[index].next_free = chunk.free_head;
    chunk.free_head = index;
    --blocks_;
    const bool was_full = chunk.live-- == chunk.block_count;
    if (chunk.size_class < kSharedClasses) {
      OpenList& open = open_[chunk.size_class];
      if (was_full) open.push_front(chunk);
      // An empty chunk is asked last, so that it stays empty and can go.
      if (chunk.live == 0 && open.back() != &chunk) {
        open.remove(chunk);
        open.push_back(chunk);
      }
    }
    if (chunk.live == 0) {
      warm_.push_front(chunk);
      warm_bytes_ += chunk.region.bytes();
      if (warm_bytes_ > warm_bytes_max_) detached = detach_beyond(warm_bytes_max_);
    }
    unused = is_unused();
  }
  destroy(detached);
  if (unused) delete this;
}

// --- chunks ---

std::uint64_t ArenaCore::chunk_bytes_wanted(std::uint32_t size_class, std::uint64_t bytes) const noexcept {
  if (size_class == kOwnChunkClass) return chunk_bytes_for(bytes);
  const std::uint64_t block = class_bytes(size_class);
  // A quarter of what the class has already: few chunks (and descriptors) however much is held, little held
  // in vain.
  const std::uint64_t wanted =
      std::clamp(class_bytes_[size_class] / 4, base::kChunkBytesMin, base::kChunkBytesMax);
  return chunk_bytes_for(std::max<std::uint64_t>(wanted / block, 1) * block);
}

/// An empty chunk, cut into blocks of this class: the smallest that fits without much waste.
Chunk* ArenaCore::reuse_warm(std::uint32_t size_class, std::uint64_t bytes) noexcept {
  const std::uint64_t wanted = chunk_bytes_wanted(size_class, bytes);
  const bool own = size_class == kOwnChunkClass;
  const std::uint64_t least = own ? bytes : std::max(class_bytes(size_class), wanted / 4);
  const std::uint64_t most = own ? 2 * wanted : 4 * wanted;
  Chunk* best = nullptr;
  for (Chunk* chunk = warm_.front(); chunk != nullptr; chunk = WarmList::after(*chunk)) {
    const std::uint64_t size = chunk->region.bytes();
    if (size < least || size > most) continue;
    if (best == nullptr || size < best->region.bytes()) best = chunk;
    if (size <= wanted && own) break;
  }
  return best != nullptr && cut(*best, size_class) ? best : nullptr;
}

/// Cuts an empty chunk into blocks of a class and opens it; false, and unchanged, if there is no memory to
/// count them.
bool ArenaCore::cut(Chunk& chunk, std::uint32_t size_class) noexcept {
  const std::uint64_t bytes = chunk.region.bytes();
  const bool own = size_class == kOwnChunkClass;
  const std::uint64_t block_bytes = own ? bytes : class_bytes(size_class);
  const auto count = static_cast<std::uint32_t>(bytes / block_bytes);
  if (count > chunk.slot_capacity) {
    auto* slots = new (std::nothrow) BlockSlot[count];
    if (slots == nullptr) return false;
    chunk.slots.reset(slots);
    chunk.slot_capacity = count;
  }
  if (chunk.size_class < kSharedClasses) open_[chunk.size_class].remove(chunk);
  class_bytes_[chunk.size_class] -= bytes;
  class_bytes_[size_class] += bytes;
  chunk.size_class = size_class;
  chunk.block_bytes = block_bytes;
  chunk.block_count = count;
  chunk.fresh = 0;
  chunk.free_head = kNoBlock;
  if (!own) open_[size_class].push_front(chunk);
  return true;
}

/// Takes the chunks that have been empty for longest out of all lists until at most `keep_bytes` are warm.
/// They are returned as a chain for destroy(), since unmapping takes too long for the mutex.
Chunk* ArenaCore::detach_beyond(std::uint64_t keep_bytes) noexcept {
  Chunk* chain = nullptr;
  while (warm_bytes_ > keep_bytes) {
    Chunk& chunk = *warm_.back();
    const std::uint64_t bytes = chunk.region.bytes();
    warm_.remove(chunk);
    if (chunk.size_class < kSharedClasses) open_[chunk.size_class].remove(chunk);
    class_bytes_[chunk.size_class] -= bytes;
    warm_bytes_ -= bytes;
    reserved_bytes_ -= bytes;
    free_slots_.push_back(chunk.slot);  // Never allocates: adopt() made room.
    chunk.in_warm.next = chain;
    chain = chunks_[chunk.slot].release();
    // Relaxed: find_retired() reads chunks_ under the mutex.
    retired_count_.fetch_add(1, base::relaxed);
  }
  return chain;
}

void ArenaCore::destroy(Chunk* detached) noexcept {
  while (detached != nullptr) {
    const std::unique_ptr<Chunk> chunk{detached};
    detached = chunk->in_warm.next;
  }
}

Result<Block> ArenaCore::grow(std::uint32_t size_class, std::uint64_t bytes) {
  if (bytes > base::kRegionBytesMax)
    return Fault::exhausted("a block of " + std::to_string(bytes) + " bytes", ENOMEM);
  std::uint64_t wanted = 0;
  {
    const std::lock_guard lock{mutex_};
    wanted = chunk_bytes_wanted(size_class, bytes);
  }
  const std::uint64_t least =
      size_class == kOwnChunkClass ? wanted : chunk_bytes_for(class_bytes(size_class));
  Result<std::unique_ptr<Chunk>> chunk = create_chunk(wanted);
  if (!chunk && chunk.fault().kind == Fault::Kind::exhausted) {
    // Near a limit: what lies idle here goes before anything fails, and one block is better than none.
    trim(0);
    chunk = create_chunk(least);
  }
  if (!chunk) return std::move(chunk.fault());
  return adopt(std::move(*chunk), size_class, bytes);
}

/// What is kept warm must have been a new chunk once, so then is early enough to see what there is room for.
void ArenaCore::limit_warm(std::optional<std::uint64_t> headroom_bytes) noexcept {
  warm_bytes_max_ = options_.warm_bytes_max;
  const auto lower_to = [this](std::uint64_t bytes) {
    warm_bytes_max_ = std::min(warm_bytes_max_, bytes / base::kWarmShare);
  };
  if (headroom_bytes) lower_to(*headroom_bytes + warm_bytes_);
  rlimit space{};
  if (::getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) lower_to(space.rlim_cur);
}

Result<std::unique_ptr<Chunk>> ArenaCore::create_chunk(std::uint64_t chunk_bytes) {
  RegionOptions options;
  if (options_.headroom_bytes != nullptr) options.headroom_bytes = options_.headroom_bytes();
  {
    const std::lock_guard lock{mutex_};
    limit_warm(options.headroom_bytes);
  }
  Result<OwnedRegion> region = OwnedRegion::create("weft-arena", chunk_bytes, options);
  if (!region) return std::move(region.fault());
  std::unique_ptr<Chunk> chunk{new (std::nothrow) Chunk};
  if (chunk == nullptr) return Fault::exhausted("private memory for a chunk", ENOMEM);
  chunk->core = this;
  chunk->region = std::move(*region);
  chunk->id = next_chunk_id();
  if (chunk->id == 0) return Fault::exhausted("the 2^32 chunk ids of this process; start another one");
  return chunk;
}

Result<Block> ArenaCore::adopt(std::unique_ptr<Chunk> chunk, std::uint32_t size_class, std::uint64_t bytes) {
  const Fault no_memory = Fault::exhausted("private memory to count the blocks of a chunk", ENOMEM);
  const std::lock_guard lock{mutex_};
  try {
    if (free_slots_.empty()) {
      free_slots_.reserve(chunks_.size() + 1);
      chunks_.emplace_back();
      free_slots_.push_back(static_cast<std::uint32_t>(chunks_.size() - 1));
    }
  } catch (const std::bad_alloc&) {
    return no_memory;
  }
  const std::uint64_t chunk_bytes = chunk->region.bytes();
  class_bytes_[chunk->size_class] += chunk_bytes;  // cut() moves it from there to its class
  if (!cut(*chunk, size_class)) {
    class_bytes_[chunk->size_class] -= chunk_bytes;
    return no_memory;
  }
  reserved_bytes_ += chunk_bytes;
  chunk->slot = free_slots_.back();
  free_slots_.pop_back();
  Chunk& added = *(chunks_[chunk->slot] = std::move(chunk));
  // It counts as warm for the moment until take() counts its first block.
  warm_.push_front(added);
  warm_bytes_ += chunk_bytes;
  return take(added, bytes);
}

// --- the rest ---

void ArenaCore::trim(std::uint64_t keep_bytes) noexcept {
  Chunk* detached = nullptr;
  {
    const std::lock_guard lock{mutex_};
    detached = detach_beyond(keep_bytes);
  }
  destroy(detached);
}

ArenaStats ArenaCore::stats() noexcept {
  const std::lock_guard lock{mutex_};
  return {chunks_.size() - free_slots_.size(), reserved_bytes_, warm_bytes_,
          static_cast<std::size_t>(blocks_)};
}

std::uint64_t ArenaCore::find_retired(std::vector<std::uint32_t>& sent, std::vector<std::uint32_t>& retired) {
  const std::lock_guard lock{mutex_};
  for (std::size_t slot = 0; slot < sent.size(); ++slot) {
    if (sent[slot] == 0) continue;
    if (slot < chunks_.size() && chunks_[slot] != nullptr && chunks_[slot]->id == sent[slot]) continue;
    retired.push_back(sent[slot]);
    sent[slot] = 0;
  }
  return retired_count();
}

void ArenaCore::pin() noexcept {
  const std::lock_guard lock{mutex_};
  ++pins_;
}

void ArenaCore::unpin() noexcept {
  bool unused = false;
  {
    const std::lock_guard lock{mutex_};
    --pins_;
    unused = is_unused();
  }
  if (unused) delete this;
}

void ArenaCore::close() noexcept {
  Chunk* detached = nullptr;
  {
    const std::lock_guard lock{mutex_};
    warm_bytes_max_ = 0;
    detached = detach_beyond(0);
  }
  destroy(detached);
  unpin();
}

}  // namespace weft::memory
