#include "work/call.hpp"

#include <algorithm>

namespace weft::work {

void CallTable::grow() {
  blocks_.push_back(std::make_unique<CallBlock>());
  for (std::uint32_t i = CallBlock::kCalls; i-- > 0;) {
    Call& fresh = blocks_.back()->calls[i];
    fresh.id = slots_ + i;
    fresh.next = free_;
    free_ = &fresh;
  }
  slots_ += CallBlock::kCalls;
  if (wakers_.empty()) grow_wakers();
}

void CallTable::grow_wakers() {
  const auto before = static_cast<std::uint32_t>(wakers_.size());
  const std::uint32_t all = std::max(2 * before, 16U);
  free_wakers_.reserve(all);
  wakers_.resize(all);
  for (std::uint32_t i = before; i < all; ++i) free_wakers_.push_back(i);
}

void CallTable::clear_extra(Call& call) noexcept {
  call.has_extra = false;
  CallExtra& extra = *call.extra();
  // A warm buffer of ordinary size is kept for the next call of this slot; what is big goes at once.
  if (extra.capacity > 4096) extra.bytes.reset(), extra.capacity = 0;
  extra.copied = nullptr;
  extra.attachments.clear();
  extra.exception = nullptr;
  extra.reason.clear();
  extra.lent.clear();
  extra.terms = {};
  extra.output = {};
  extra.continuations.clear();
  extra.talk.reset();
}

}  // namespace weft::work
