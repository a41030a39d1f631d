#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "memory/block.hpp"
#include "memory/region.hpp"

namespace weft::memory {

/// Bytes of a peer, in place. They stay mapped for as long as this lives, whatever the peer does; whether
/// they stay the same is up to the peer, which may not write them before its loan has been given back, and
/// might all the same.
struct BlockView {
  std::span<const std::byte> bytes;
  std::shared_ptr<const PeerRegion> region;
};

/// The chunks of one peer that are mapped here. All arguments come from the peer and are taken as input.
///
/// Owner: the link to the peer. Threads: one at a time; views may go anywhere. Blocks: adopt() maps.
class ChunkMap {
 public:
  /// Maps a chunk that the peer announced. Fault::violation for an id that is 0 or known, a region that is
  /// not sealed as it must be or shorter than `bytes`, or one chunk more than kPeerChunksMax.
  base::Result<void> adopt(std::uint32_t id, base::UniqueFd fd, std::uint64_t bytes);
  /// Forgets a chunk; views of it keep it mapped. Fault::violation for an unknown id.
  base::Result<void> retire(std::uint32_t id);
  /// The bytes that `ref` names, a copy: what is checked is what is used. Fault::violation for an unknown
  /// chunk or bytes beyond its end.
  base::Result<BlockView> resolve(BlockRef ref);

  [[nodiscard]] std::size_t count() const noexcept { return chunks_.size(); }

 private:
  struct Entry {
    std::uint32_t id;
    std::shared_ptr<const PeerRegion> region;
  };
  /// Where `id` is, or would be.
  [[nodiscard]] std::size_t position_of(std::uint32_t id) const noexcept;
  [[nodiscard]] bool is_at(std::size_t position, std::uint32_t id) const noexcept {
    return position < chunks_.size() && chunks_[position].id == id;
  }

  std::vector<Entry> chunks_;  // by id
  std::size_t last_ = 0;       // where the last one was found: blocks in a row mostly share a chunk
};

}  // namespace weft::memory
