#include "work/call.hpp"

namespace weft::work {

void CallTable::grow() {
  blocks_.push_back(std::make_unique<Call[]>(kBlock));
  for (std::uint32_t i = kBlock; i-- > 0;) {
    Call& fresh = blocks_.back()[i];
    fresh.id = slots_ + i;
    fresh.next = free_;
    free_ = &fresh;
  }
  slots_ += kBlock;
}

void CallTable::clear_extra(Call& call) noexcept {
  call.has_extra = false;
  // A warm buffer of ordinary size is kept for the next call of this slot; what is big goes at once.
  if (call.extra->capacity > 4096) call.extra->bytes.reset(), call.extra->capacity = 0;
  call.extra->copied = nullptr;
  call.extra->attachments.clear();
  call.extra->exception = nullptr;
  call.extra->reason.clear();
  call.extra->lent.clear();
  call.extra->terms = {};
  call.extra->output = {};
  call.extra->continuations.clear();
  call.extra->talk.reset();
}

}  // namespace weft::work
