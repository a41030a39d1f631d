#include "work/shared_objects.hpp"

#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/limits.hpp"

namespace weft::work {

namespace {

constexpr const char* kWrongKind = "it asked a shared object for what only another kind of them does";

}  // namespace

// Permits.

const char* SharedPermits::ask(Visit& visit, const Asked& asked) {
  using wire::Operation;
  switch (asked.operation) {
    case Operation::take:
      return take(visit, asked);
    case Operation::give:
    case Operation::abandon:
      return give(visit, asked);
    case Operation::load:
      if (!value_) return kWrongKind;
      visit.tell({wire::Verdict::came, false, 0, value_});
      return nullptr;
    case Operation::store:
      return store(visit, asked);
    default:
      return kWrongKind;
  }
}

const char* SharedPermits::take(Visit& visit, const Asked& asked) {
  if (asked.count == 0 || asked.count > permits_) {
    visit.tell({wire::Verdict::impossible, false, 0, nullptr});
    return nullptr;
  }
  if (visit.guest != nullptr && visit.guest->held.size() >= base::kAsksMax) {
    visit.tell({wire::Verdict::exhausted, false, 0, nullptr});
    return nullptr;
  }
  auto found = lines_.find(asked.key);
  if (found == lines_.end()) found = lines_.try_emplace(std::string{asked.key}, permits_).first;
  Lines::value_type& entry = *found;
  visit.place = &entry;
  if (asked.deadline_ns <= base::now_ns()) {
    if (entry.second.gate.try_take(asked.count)) {
      served(visit);
    } else {
      visit.tell({wire::Verdict::timed_out, false, 0, nullptr});
    }
  } else if (entry.second.gate.take_or_queue(visit)) {
    served(visit);
  }
  return nullptr;
}

void SharedPermits::served(Visit& visit) noexcept {
  auto& [key, line] = *static_cast<Lines::value_type*>(visit.place);
  if (visit.guest != nullptr) {
    visit.guest->held[{id, key}] += visit.count();
  } else {
    line.held_here += visit.count();
  }
  visit.tell({wire::Verdict::came, std::exchange(line.abandoned, false), 0, value_});
}

void SharedPermits::leave(Visit& visit) noexcept {
  Lines::value_type& entry = *static_cast<Lines::value_type*>(visit.place);
  entry.second.gate.leave(visit);
  forget_if_unused(entry);
}

const char* SharedPermits::give(Visit& visit, const Asked& asked) {
  const auto found = lines_.find(asked.key);
  if (found == lines_.end() || asked.count == 0) return kNotHeld;
  Line& line = found->second;
  if (visit.guest != nullptr) {
    if (!visit.guest->give_back({id, found->first}, asked.count)) return kNotHeld;
  } else {
    if (line.held_here < asked.count) return kNotHeld;
    line.held_here -= asked.count;
  }
  if (asked.operation == wire::Operation::abandon) line.abandoned = true;
  line.gate.give(asked.count);
  forget_if_unused(*found);
  return nullptr;
}

const char* SharedPermits::store(Visit& visit, const Asked& asked) {
  if (!value_) return kWrongKind;
  const auto previous = std::exchange(value_, asked.value);
  if (const char* const complaint = give(visit, {wire::Operation::give, 1, 0, {}, nullptr})) {
    value_ = previous;
    return complaint;
  }
  visit.tell({});
  return nullptr;
}

void SharedPermits::abandon(const Holding& what, std::size_t count) noexcept {
  const auto found = lines_.find(what.second);
  found->second.abandoned = true;
  found->second.gate.give(count);
}

void SharedPermits::close() noexcept {
  for (auto& [key, line] : lines_) line.gate.shut();
}

/// A key for which word of a death waits is kept until somebody has it.
void SharedPermits::forget_if_unused(Lines::value_type& entry) noexcept {
  const Line& line = entry.second;
  if (line.gate.permits() == permits_ && !line.gate.anybody_waits() && !line.abandoned)
    lines_.erase(lines_.find(entry.first));
}

// Barrier.

const char* SharedBarrier::ask(Visit& visit, const Asked& asked) {
  if (asked.operation == wire::Operation::drop) {
    if (expected_ <= arrived_) return "it left a shared barrier that nobody was left to leave";
    --expected_;
    if (arrived_ == expected_) open();
    visit.tell({});
    return nullptr;
  }
  if (asked.operation != wire::Operation::arrive) return kWrongKind;
  if (expected_ == 0) return "it came to a shared barrier that everybody had left";
  if (arrived_ + 1 == expected_) {
    open();
    visit.tell({});
  } else if (asked.deadline_ns <= base::now_ns()) {
    visit.tell({wire::Verdict::timed_out, false, 0, nullptr});
  } else {
    ++arrived_;
    static_cast<void>(gate_.take_or_queue(visit));  // the gate never has any to spare
  }
  return nullptr;
}

void SharedBarrier::served(Visit& visit) noexcept { visit.tell({}); }

void SharedBarrier::leave(Visit& visit) noexcept {
  --arrived_;
  gate_.leave(visit);
}

/// Lets all that wait go on. The gate has a permit for each, and none is left over for the next round.
void SharedBarrier::open() noexcept { gate_.give(std::exchange(arrived_, 0)); }

// Rate limit.

const char* SharedRate::ask(Visit& visit, const Asked& asked) {
  if (asked.operation != wire::Operation::pace) return kWrongKind;
  if (!bucket_.has(asked.count)) {
    visit.tell({wire::Verdict::impossible, false, 0, nullptr});
    return nullptr;
  }
  const std::uint64_t turn_ns = bucket_.take(asked.count, base::now_ns(), asked.deadline_ns);
  visit.tell({turn_ns == 0 ? wire::Verdict::timed_out : wire::Verdict::came, false, turn_ns, nullptr});
  return nullptr;
}

}  // namespace weft::work
