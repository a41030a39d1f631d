#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/limits.hpp"
#include "base/result.hpp"
#include "memory/block.hpp"

namespace weft::memory {

struct ArenaOptions {
  /// Empty chunks kept for the next blocks, in bytes; beyond that the one that was emptied longest ago goes
  /// back to the system. Less where memory is limited (base::kWarmShare), which is looked at with each new chunk.
  std::uint64_t warm_bytes_max = base::kWarmBytesMax;
  /// Asked before each new chunk: what this process may still take before its control group would kill it;
  /// nullopt for no limit. Null: nobody asks.
  std::optional<std::uint64_t> (*headroom_bytes)() noexcept = nullptr;
};

struct ArenaStats {
  std::size_t chunks = 0;
  std::uint64_t reserved_bytes = 0;  ///< of all chunks: memory that is taken from the system
  std::uint64_t warm_bytes = 0;      ///< of the chunks among them that are empty
  std::size_t blocks = 0;            ///< handed out and not given back
};

/// The memory that a process sends from: blocks of any size, carved out of sealed chunks that each peer maps
/// once. All bookkeeping lies in private memory, so nothing that a peer does can disturb it.
///
/// Owner: one a process is enough. Threads: any. Blocks: where a chunk has room, as it has in the steady
/// state, to allocate and to give back take 30 ns together and no system call; else allocate() creates a
/// chunk. Crash: of a borrower: its LoanBook gives back what it had been lent; of the owner: peers keep what
/// they have mapped.
class Arena {
 public:
  explicit Arena(const ArenaOptions& options = {});
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  /// Blocks that are still held stay valid; the last of them takes the bookkeeping with it.
  ~Arena();

  /// A block of `bytes` (0 is allowed), its contents whatever was there before. Fault::exhausted, naming the
  /// limit, if no chunk can be had even after giving back all warm ones; the arena stays usable.
  base::Result<Block> allocate(std::uint64_t bytes);

  /// Gives warm chunks back to the system until at most `keep_bytes` are left: for an idle process.
  void trim(std::uint64_t keep_bytes = 0) noexcept;

  [[nodiscard]] ArenaStats stats() const noexcept;

 private:
  friend class LoanBook;
  ArenaCore* core_;
};

}  // namespace weft::memory
