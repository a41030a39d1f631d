#include "memory/chunk_map.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "base/limits.hpp"

namespace weft::memory {

using base::Fault;
using base::Result;

namespace {

std::string name_of(std::uint32_t id) { return "chunk " + std::to_string(id); }

}  // namespace

std::size_t ChunkMap::position_of(std::uint32_t id) const noexcept {
  if (is_at(last_, id)) return last_;
  const auto found =
      std::lower_bound(chunks_.begin(), chunks_.end(), id,
                       [](const Entry& entry, std::uint32_t wanted) { return entry.id < wanted; });
  return static_cast<std::size_t>(found - chunks_.begin());
}

Result<void> ChunkMap::adopt(std::uint32_t id, base::UniqueFd fd, std::uint64_t bytes) {
  const std::size_t position = position_of(id);
  if (id == 0 || is_at(position, id))
    return Fault::violation("the peer announced " + name_of(id) + " twice, or 0");
  if (chunks_.size() >= base::kPeerChunksMax) {
    return Fault::violation("the peer announced more than " + std::to_string(base::kPeerChunksMax) +
                            " chunks");
  }
  Result<PeerRegion> region = PeerRegion::map(std::move(fd), bytes);
  if (!region) {
    region.fault().message = name_of(id) + ": " + region.fault().message;
    return std::move(region.fault());
  }
  try {
    chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(position),
                   Entry{id, std::make_shared<const PeerRegion>(std::move(*region))});
  } catch (const std::bad_alloc&) {
    return Fault::exhausted("private memory for the chunks of a peer", ENOMEM);
  }
  return {};
}

Result<void> ChunkMap::retire(std::uint32_t id) {
  const std::size_t position = position_of(id);
  if (!is_at(position, id))
    return Fault::violation("the peer retired " + name_of(id) + ", which it never announced");
  chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(position));
  return {};
}

Result<BlockView> ChunkMap::resolve(BlockRef ref) {
  const std::size_t position = position_of(ref.chunk);
  if (!is_at(position, ref.chunk)) {
    return Fault::violation("the peer refers to " + name_of(ref.chunk) + ", which it has not announced");
  }
  last_ = position;
  const std::shared_ptr<const PeerRegion>& region = chunks_[position].region;
  const std::uint64_t bytes = region->bytes();
  if (ref.offset > bytes || ref.length > bytes - ref.offset) {
    return Fault::violation("the peer refers to " + std::to_string(ref.length) + " bytes at " +
                            std::to_string(ref.offset) + " of " + name_of(ref.chunk) + ", which has " +
                            std::to_string(bytes));
  }
  return BlockView{{region->data() + ref.offset, static_cast<std::size_t>(ref.length)}, region};
}

}  // namespace weft::memory
