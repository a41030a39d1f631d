#include "work/call_queue.hpp"

#include <algorithm>

namespace weft::work {

bool Share::is_empty() const noexcept {
  return places == 0 &&
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

Share& CallQueue::share_of(std::thread::id thread) {
  for (const auto& share : shares_) {
    if (share->thread == thread) return *share;
  }
  forget([](const Share& share) { return share.thread != std::thread::id{} && share.is_empty(); });
  Share& share = add_share(0);
  share.thread = thread;
  return share;
}

void CallQueue::drop_if_done(const Share& share) noexcept {
  if (share.is_abandoned && share.is_empty()) forget([&](const Share& each) { return &each == &share; });
}

template <class Done>
void CallQueue::forget(Done done) noexcept {
  for (std::size_t i = shares_.size(); i-- > 0;) {
    if (!done(*shares_[i])) continue;
    shares_.erase(shares_.begin() + static_cast<std::ptrdiff_t>(i));
    if (turn_ > i + 1) --turn_;
  }
  if (turn_ > shares_.size()) turn_ = 0;
}

}  // namespace weft::work
