#include "memory/loan_book.hpp"

#include <cerrno>
#include <limits>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "memory/arena_core.hpp"

namespace weft::memory {

using base::Fault;
using base::Result;

namespace {
constexpr std::uint32_t kNoLoan = std::numeric_limits<std::uint32_t>::max();
}  // namespace

LoanBook::LoanBook(Arena& arena) noexcept : core_{arena.core_}, free_head_{kNoLoan} {
  core_->pin();
  retired_seen_ = core_->retired_count();
}

LoanBook::LoanBook(LoanBook&& other) noexcept
    : core_{std::exchange(other.core_, nullptr)},
      loans_{std::move(other.loans_)},
      free_head_{other.free_head_},
      outstanding_{std::exchange(other.outstanding_, 0)},
      sent_{std::move(other.sent_)},
      retired_{std::move(other.retired_)},
      retired_seen_{other.retired_seen_} {}

LoanBook::~LoanBook() {
  if (core_ == nullptr) return;
  reclaim_all();
  core_->unpin();
}

Result<std::uint64_t> LoanBook::lend(Block block) {
  WEFT_CHECK(block.chunk_ != nullptr && block.chunk_->core == core_,
             "a loan needs a block of the book's own arena");
  if (free_head_ == kNoLoan) {
    try {
      loans_.emplace_back().next_free = kNoLoan;
    } catch (const std::bad_alloc&) {
      return Fault::exhausted("private memory for the loans to a peer", ENOMEM);
    }
    free_head_ = static_cast<std::uint32_t>(loans_.size() - 1);
  }
  const std::uint32_t index = free_head_;
  Loan& loan = loans_[index];
  free_head_ = loan.next_free;
  loan.block = std::move(block);
  ++outstanding_;
  return std::uint64_t{loan.generation} << 32 | index;
}

bool LoanBook::give_back(std::uint64_t loan_id) noexcept {
  const auto index = static_cast<std::uint32_t>(loan_id);
  if (index >= loans_.size()) return false;
  Loan& loan = loans_[index];
  if (!loan.block || loan.generation != loan_id >> 32) return false;
  loan.block.reset();
  // Generation 0 is left out, so that no id is ever 0.
  if (++loan.generation == 0) loan.generation = 1;
  loan.next_free = free_head_;
  free_head_ = index;
  --outstanding_;
  return true;
}

Block LoanBook::find(std::uint64_t loan_id) const noexcept {
  const auto index = static_cast<std::uint32_t>(loan_id);
  if (index >= loans_.size() || loans_[index].generation != loan_id >> 32) return {};
  return loans_[index].block;
}

std::size_t LoanBook::reclaim_all() noexcept {
  const std::size_t count = outstanding_;
  for (std::uint32_t index = 0; outstanding_ != 0; ++index) {
    // Through give_back, so that a release which the dead peer had still posted is refused rather than
    // believed.
    const Loan& loan = loans_[index];
    static_cast<void>(give_back(std::uint64_t{loan.generation} << 32 | index));
  }
  return count;
}

bool LoanBook::needs_chunk(const Block& block) const noexcept {
  WEFT_CHECK(block.chunk_ != nullptr && block.chunk_->core == core_,
             "a loan needs a block of the book's own arena");
  const Chunk& chunk = *block.chunk_;
  return chunk.slot >= sent_.size() || sent_[chunk.slot] != chunk.id;
}

Result<void> LoanBook::chunk_sent(const Block& block) {
  if (!needs_chunk(block)) return {};
  const Chunk& chunk = *block.chunk_;
  try {
    if (chunk.slot >= sent_.size()) sent_.resize(chunk.slot + std::size_t{1});
    // The chunk that had this place is gone, and take_retired() has not told of it yet.
    if (sent_[chunk.slot] != 0) retired_.push_back(sent_[chunk.slot]);
  } catch (const std::bad_alloc&) {
    return Fault::exhausted("private memory for the chunks of a peer", ENOMEM);
  }
  sent_[chunk.slot] = chunk.id;
  return {};
}

bool LoanBook::take_retired(std::vector<std::uint32_t>& ids) {
  if (core_->retired_count() == retired_seen_ && retired_.empty()) return false;
  const std::size_t before = ids.size();
  try {
    ids.insert(ids.end(), retired_.begin(), retired_.end());
    retired_.clear();
    retired_seen_ = core_->find_retired(sent_, ids);
  } catch (const std::bad_alloc&) {
    // What is not in `ids` yet will be found by the next call, since retired_seen_ is unchanged.
  }
  return ids.size() != before;
}

}  // namespace weft::memory
