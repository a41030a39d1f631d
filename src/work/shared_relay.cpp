#include "work/shared_relay.hpp"

#include <utility>

#include "base/limits.hpp"
#include "work/asker.hpp"
#include "work/worker_main.hpp"

namespace weft::work {

using wire::Operation;
using wire::Verdict;

const char* SharedRelay::ask(Visit& visit, const Asked& asked) {
  if (process_depth() == 0)
    return "it asked for a shared object that lives in none of the processes above it";
  Guest& guest = *visit.guest;
  // Nothing is sent while this worker's thread computes.
  if (guest.unsent >= 2 * base::kAsksMax) return "it asked more of shared objects at once than it may";
  Holding what{asked.object, asked.key};
  switch (asked.operation) {
    case Operation::give:
    case Operation::abandon:
      // The parent would take it for this worker's doing.
      if (!guest.give_back(what, asked.count)) return kNotHeld;
      ++guest.unsent;
      order(asked.operation, what, asked.count, 0, guest.shared_from_this());
      return nullptr;
    case Operation::store:
      // Given back with the value. Until the answer is here nobody has it but the relay.
      if (!guest.give_back(what, 1)) return kNotHeld;
      break;
    case Operation::take:
      if (guest.held.size() < base::kAsksMax) break;
      visit.tell({Verdict::exhausted, false, 0, nullptr});
      return nullptr;
    default:
      break;
  }
  const std::uint64_t ticket = ++last_ticket_;
  const auto entry =
      entries_
          .emplace(ticket, Entry{guest.shared_from_this(), asked.ticket == 0 ? nullptr : &visit,
                                 asked.operation, what, asked.count})
          .first;
  visit.place = &*entry;
  RelayOrder passed{asked, std::move(what.second), guest.shared_from_this()};
  passed.asked.ticket = ticket;
  ++guest.unsent;
  order(std::move(passed));
  return nullptr;
}

/// Its worker has died. Maybe what it waits for is just being given: the answer tells.
void SharedRelay::leave(Visit& visit) noexcept {
  order_withdrawal(visit);
  static_cast<Entries::value_type*>(visit.place)->second.visit = nullptr;
}

void SharedRelay::withdraw(Visit& visit) noexcept { order_withdrawal(visit); }

void SharedRelay::abandon(const Holding& what, std::size_t count) noexcept {
  order(Operation::abandon, what, count);
}

bool SharedRelay::answered(std::uint64_t ticket, Told told) {
  const auto node = entries_.extract(ticket);
  if (node.empty()) return false;
  const Entry& entry = node.mapped();
  const bool came = told.verdict == Verdict::came;
  if (entry.operation == Operation::take && came) {
    // Whoever waited has died without knowing of it. What is said once of a death is said again.
    if (entry.visit == nullptr)
      order(told.abandoned ? Operation::abandon : Operation::give, entry.what, entry.count);
    else
      entry.guest->held[entry.what] += entry.count;
  } else if (entry.operation == Operation::store && !came) {
    if (entry.visit == nullptr)
      order(Operation::abandon, entry.what, 1);
    else
      entry.guest->held[entry.what] += 1;
  }
  if (entry.visit != nullptr)
    entry.visit->tell(std::move(told));
  else if (entry.operation == Operation::drop && !came && told.verdict != Verdict::closed)
    SharedHome::get().answer(*entry.guest, 0, {Verdict::refused, false, 0, nullptr});
  return true;
}

std::vector<RelayOrder> SharedRelay::take_orders() {
  for (const RelayOrder& each : orders_) {
    if (each.asker) each.asker->unsent = 0;
  }
  return std::exchange(orders_, {});
}

bool SharedRelay::wait(const fiber::Waker& courier) noexcept {
  if (!orders_.empty()) return false;
  courier_ = courier;
  return true;
}

void SharedRelay::order(Operation operation, const Holding& what, std::size_t count, std::uint64_t ticket,
                        std::shared_ptr<Guest> asker) {
  RelayOrder one;
  one.asked.operation = operation;
  one.asked.count = count;
  one.asked.object = what.first;
  one.asked.ticket = ticket;
  one.key = what.second;
  one.asker = std::move(asker);
  order(std::move(one));
}

void SharedRelay::order_withdrawal(Visit& visit) {
  auto& [ticket, entry] = *static_cast<Entries::value_type*>(visit.place);
  if (!std::exchange(entry.withdrawn, true)) order(Operation::withdraw, {entry.what.first, {}}, 0, ticket);
}

void SharedRelay::order(RelayOrder order) {
  orders_.push_back(std::move(order));
  Asker::tell_of_orders(!std::exchange(is_known_, true));
  std::exchange(courier_, {}).wake();
}

}  // namespace weft::work
