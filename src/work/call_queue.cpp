#include "work/call_queue.hpp"

#include <algorithm>

namespace weft::work {

bool Share::is_done() const noexcept {
  return is_abandoned && places == 0 &&
         std::all_of(waiting.begin(), waiting.end(), [](const CallList& list) { return list.empty(); });
}

std::size_t CallQueue::size_of_ready() const noexcept {
  std::size_t held_back = 0;
  for (const auto& share : shares_) {
    if (share->limit == 0) continue;
    std::size_t waiting = 0;
    for (const CallList& list : share->waiting) waiting += list.size();
    const std::size_t room = share->limit - std::min(share->limit, share->places);
    held_back += waiting - std::min(waiting, room);
  }
  return size_ - held_back;
}

template <class May>
Call* CallQueue::take_of(std::size_t priority, May may) noexcept {
  const std::size_t count = shares_.size() + 1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = (turn_ + i) % count;
    Share& share = at == 0 ? own_ : *shares_[at - 1];
    CallList& list = share.waiting[priority];
    if (list.empty() || !may(share)) continue;
    turn_ = (at + 1) % count;
    --size_;
    return list.pop_front();
  }
  return nullptr;
}

Call* CallQueue::take() noexcept {
  for (std::size_t priority = 0; priority < own_.waiting.size(); ++priority) {
    if (Call* const call = take_of(priority, [](const Share& share) { return share.has_place(); }))
      return call;
  }
  return nullptr;
}

Call* CallQueue::take_any() noexcept {
  for (std::size_t priority = 0; priority < own_.waiting.size(); ++priority) {
    if (Call* const call = take_of(priority, [](const Share&) { return true; })) return call;
  }
  return nullptr;
}

Call* CallQueue::take_least() noexcept {
  for (std::size_t priority = own_.waiting.size(); priority-- > 0;) {
    if (Call* const call = take_of(priority, [](const Share&) { return true; })) return call;
  }
  return nullptr;
}

Share& CallQueue::add_share(std::size_t limit) {
  Share& share = *shares_.emplace_back(std::make_unique<Share>());
  share.limit = limit;
  return share;
}

void CallQueue::drop_if_done(const Share& share) noexcept {
  if (!share.is_done()) return;
  std::erase_if(shares_, [&](const auto& each) { return each.get() == &share; });
  turn_ = 0;
}

}  // namespace weft::work
