#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "memory/arena.hpp"
#include "memory/block.hpp"

namespace weft::memory {

/// What one peer has been lent out of an arena: the blocks that it has not given back, and the chunks that it
/// knows.
///
///   if (book.needs_chunk(block)) send block.chunk(), then book.chunk_sent(block);
///   id = book.lend(block);             send block.ref() and the id
///   book.give_back(id)                 as the peer's releases come in
///   book.take_retired(ids)             now and then: the peer may unmap these
///
/// Owner: the link to the peer. Threads: one at a time. Blocks: no. Crash: of the peer: reclaim_all(), or the
/// destructor, takes back what it held. The book may outlive its Arena.
class LoanBook {
 public:
  explicit LoanBook(Arena& arena) noexcept;
  LoanBook(const LoanBook&) = delete;
  LoanBook& operator=(const LoanBook&) = delete;
  /// Takes over what `other` has lent. `other` may only be destroyed then.
  LoanBook(LoanBook&& other) noexcept;
  ~LoanBook();

  /// Holds `block` until the peer gives it back. The id is never 0, and is not used for another loan before
  /// 2^32 others have used its place. Fault::exhausted if there is no private memory for the entry.
  base::Result<std::uint64_t> lend(Block block);
  /// Ends the loan that the peer says it no longer needs. False if there is no such loan: the peer is lying
  /// or broken.
  [[nodiscard]] bool give_back(std::uint64_t loan_id) noexcept;
  /// The block of an outstanding loan, for the peer's word that it hands it back; empty if there is no such
  /// loan.
  [[nodiscard]] Block find(std::uint64_t loan_id) const noexcept;
  /// Ends all loans; how many there were.
  std::size_t reclaim_all() noexcept;
  [[nodiscard]] std::size_t outstanding() const noexcept { return outstanding_; }

  /// True until chunk_sent() was called for the chunk that `block` lies in. `block` must be of this book's
  /// arena.
  [[nodiscard]] bool needs_chunk(const Block& block) const noexcept;
  base::Result<void> chunk_sent(const Block& block);
  /// Appends the ids of chunks that the peer was sent and that are gone, each once; true if there were any.
  /// One load where no chunk has gone since the last call.
  bool take_retired(std::vector<std::uint32_t>& ids);

 private:
  struct Loan {
    Block block;  // empty: the place is free
    std::uint32_t generation = 1;
    std::uint32_t next_free = 0;
  };

  ArenaCore* core_;
  std::vector<Loan> loans_;
  std::uint32_t free_head_;
  std::size_t outstanding_ = 0;
  std::vector<std::uint32_t> sent_;     // chunk id by the chunk's slot; 0: none
  std::vector<std::uint32_t> retired_;  // found when another chunk took the place of a known one
  std::uint64_t retired_seen_ = 0;
};

}  // namespace weft::memory
