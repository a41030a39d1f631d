#include "work/shared_home.hpp"

#include <unistd.h>

#include <iterator>
#include <utility>
#include <weft/detail/waited.hpp>
#include <weft/error.hpp>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "sync/spin.hpp"
#include "wire/shared_name.hpp"
#include "work/pool_core.hpp"
#include "work/shared_relay.hpp"

namespace weft::work {

namespace {

/// A fiber or thread of this process; it stands on its own stack.
class LocalVisit final : public Visit {
 public:
  using Visit::Visit;

  /// Wakes it under the lock, which it takes before it goes on: so its fiber, its thread and this object are still there.
  void tell(Told what) noexcept override {
    told = std::move(what);
    // Relaxed: under the lock, as said below.
    is_told.store(true, base::relaxed);
    if (waker) waker.wake();
  }

  Told told;
  /// Read without the lock too, while it spins: relaxed, since it takes the lock before it believes it.
  base::Atomic<bool> is_told{false};
  fiber::Waker waker;  ///< none while it spins
};

bool has_answer(wire::Operation operation) noexcept {
  return operation != wire::Operation::give && operation != wire::Operation::abandon &&
         operation != wire::Operation::drop;
}

}  // namespace

void Visit::told(bool served) noexcept {
  if (served) return object.served(*this);
  tell({wire::Verdict::closed, false, 0, nullptr});
}

void HomeObject::withdraw(Visit& visit) noexcept {
  leave(visit);
  visit.tell({wire::Verdict::timed_out, false, 0, nullptr});
}

/// A fiber of a worker.
class Guest::Waiting final : public Visit {
 public:
  Waiting(HomeObject& object_, Guest& guest_, std::uint64_t ticket, std::size_t count) noexcept
      : Visit{object_, &guest_, count}, ticket_{ticket} {}

  void tell(Told what) noexcept override {
    is_told = true;
    if (ticket_ != 0) SharedHome::get().answer(*guest, ticket_, std::move(what));
    if (is_kept) guest->waiting.erase(ticket_);  // and with it this
  }

  bool is_told = false;
  bool is_kept = false;

 private:
  const std::uint64_t ticket_;
};

Guest::Guest(std::weak_ptr<PoolCore> core_, std::uint64_t peer_) noexcept
    : core{std::move(core_)}, peer{peer_}, home{static_cast<std::uint64_t>(::getpid())} {}
Guest::~Guest() = default;

bool Guest::give_back(const Holding& what, std::size_t count) {
  const auto found = held.find(what);
  if (count == 0 || found == held.end() || found->second < count) return false;
  if ((found->second -= count) == 0) held.erase(found);
  return true;
}

SharedHome::SharedHome() : relay_{std::make_unique<SharedRelay>()} {}

SharedHome& SharedHome::get() {
  // Never destroyed: objects in static variables may outlive everything else.
  static SharedHome& the_home = *new SharedHome;
  return the_home;
}

std::uint64_t SharedHome::next_number() {
  const std::lock_guard lock{mutex_};
  return wire::scattered(++last_serial_);
}

std::shared_ptr<HomeObject> SharedHome::adopt(std::unique_ptr<HomeObject> object) {
  HomeObject* const bare = object.release();
  std::shared_ptr<HomeObject> owner{bare, [](HomeObject* gone) { SharedHome::get().retire(gone); }};
  const std::lock_guard lock{mutex_};
  bare->self = owner;
  objects_.emplace(bare->id, bare);
  return owner;
}

std::shared_ptr<HomeObject> SharedHome::find(std::uint64_t number) {
  const std::lock_guard lock{mutex_};
  const auto found = objects_.find(number);
  return found == objects_.end() ? nullptr : found->second->self.lock();
}

/// The last handle of this process is gone.
void SharedHome::retire(HomeObject* object) noexcept {
  const std::unique_ptr<HomeObject> gone{object};
  {
    const std::lock_guard lock{mutex_};
    objects_.erase(gone->id);
    for (Guest* const guest : guests_)
      std::erase_if(guest->held, [&](const auto& held) { return held.first.first == gone->id; });
    gone->close();
    if (news_.empty()) return;
  }
  deliver();
}

Told SharedHome::ask(HomeObject& object, const Asked& asked) {
  LocalVisit self{object, nullptr, asked.count};
  bool is_unable = false;
  bool news = false;
  {
    std::unique_lock lock{mutex_};
    const char* const complaint = object.ask(self, asked);
    WEFT_CHECK(complaint == nullptr, complaint);
    // Relaxed, here and below: under the lock; and while it spins, since it takes the lock before it believes it.
    if (has_answer(asked.operation) && !self.is_told.load(base::relaxed)) {
      fiber::Reactor* const reactor = fiber::Reactor::try_current();
      is_unable = reactor == nullptr;
      if (!is_unable && !reactor->others_ready()) {
        lock.unlock();
        static_cast<void>(
            sync::spin(*reactor, asked.deadline_ns, [&] { return self.is_told.load(base::relaxed); }));
        lock.lock();
      }
      // Relaxed: under the lock.
      if (!is_unable && !self.is_told.load(base::relaxed)) {
        self.waker = reactor->waker();
        lock.unlock();
        reactor->suspend(asked.deadline_ns);
        lock.lock();
      }
      // Relaxed: under the lock.
      if (!self.is_told.load(base::relaxed)) {
        object.leave(self);
        self.told.verdict = wire::Verdict::timed_out;
      }
    }
    news = !news_.empty();
  }
  if (news) deliver();
  if (is_unable) static_cast<void>(detail::came(detail::Waited::exhausted));
  return std::move(self.told);
}

const char* SharedHome::ask(Guest& guest, const Asked& asked) {
  const std::lock_guard lock{mutex_};
  guests_.insert(&guest);
  const auto waiting = guest.waiting.find(asked.ticket);
  if (asked.operation == wire::Operation::withdraw) {
    // If it does not wait any more, its answer is on its way.
    if (waiting != guest.waiting.end()) waiting->second->object.withdraw(*waiting->second);
    return nullptr;
  }
  if (waiting != guest.waiting.end()) return "it asked twice with one ticket";
  const bool answered = asked.ticket != 0;
  // Leaving a barrier is answered where a worker asks it for another.
  if (answered != (has_answer(asked.operation) ||
                   (asked.operation == wire::Operation::drop && wire::is_relayed(asked.ticket))))
    return "it asked without a ticket for what has an answer, or with one for what has none";
  if (answered && guest.waiting.size() + guest.answers.size() >= base::kAsksMax)
    return "it asked more of shared objects at once than it may";
  HomeObject* object = relay_.get();
  if (wire::home_of(asked.object) == guest.home) {
    const std::uint64_t number = wire::number_of(asked.object);
    const auto found = objects_.find(number);
    object = found == objects_.end() ? nullptr : found->second;
    const std::uint64_t serial = wire::serial_of(number);
    if (serial == 0 || serial > last_serial_)
      return refuse(guest, asked, "it asked for a shared object that there never was");
  }
  const bool cannot_be_stored = asked.operation == wire::Operation::store && !asked.value;
  if (object == nullptr || cannot_be_stored) {
    const auto verdict = object == nullptr ? wire::Verdict::closed : wire::Verdict::exhausted;
    if (answered) answer(guest, asked.ticket, {verdict, false, 0, nullptr});
    return nullptr;
  }
  auto visit = std::make_unique<Guest::Waiting>(*object, guest, asked.ticket, asked.count);
  if (const char* const complaint = object->ask(*visit, asked)) return refuse(guest, asked, complaint);
  if (!answered || visit->is_told) return nullptr;
  visit->is_kept = true;
  guest.waiting.emplace(asked.ticket, std::move(visit));
  return nullptr;
}

/// What is wrong with an ask is the doing of whoever asks. If that is not the guest itself, the guest is told.
const char* SharedHome::refuse(Guest& guest, const Asked& asked, const char* complaint) {
  if (!wire::is_relayed(asked.ticket)) return complaint;
  answer(guest, asked.ticket, {wire::Verdict::refused, false, 0, nullptr});
  return nullptr;
}

void SharedHome::answer(Guest& guest, std::uint64_t ticket, Told told) {
  guest.answers.push_back({ticket, std::move(told)});
  if (std::exchange(guest.in_news, true)) return;
  news_.push_back(guest.shared_from_this());
}

std::vector<RelayOrder> SharedHome::take_orders() {
  const std::lock_guard lock{mutex_};
  return relay_->take_orders();
}

bool SharedHome::wait_for_orders(const fiber::Waker& courier) {
  const std::lock_guard lock{mutex_};
  return relay_->wait(courier);
}

bool SharedHome::relayed(std::uint64_t ticket, Told told) {
  const std::lock_guard lock{mutex_};
  return relay_->answered(ticket, std::move(told));
}

std::vector<Guest::Answer> SharedHome::take_answers(Guest& guest) {
  const std::lock_guard lock{mutex_};
  if (std::exchange(guest.in_news, false))
    std::erase_if(news_, [&](const auto& each) { return each.get() == &guest; });
  return std::exchange(guest.answers, {});
}

void SharedHome::put_back(Guest& guest, std::vector<Guest::Answer> unsent) {
  const std::lock_guard lock{mutex_};
  unsent.insert(unsent.end(), std::make_move_iterator(guest.answers.begin()),
                std::make_move_iterator(guest.answers.end()));
  guest.answers = std::move(unsent);
}

bool SharedHome::has_answers(const Guest& guest) {
  const std::lock_guard lock{mutex_};
  return !guest.answers.empty();
}

bool SharedHome::has_news() {
  const std::lock_guard lock{mutex_};
  return !news_.empty();
}

void SharedHome::deliver() {
  std::vector<std::shared_ptr<Guest>> news;
  {
    const std::lock_guard lock{mutex_};
    news.swap(news_);
    for (const auto& guest : news) guest->in_news = false;
  }
  for (const auto& guest : news) {
    if (const auto core = guest->core.lock()) core->deliver(guest->peer);
  }
}

void SharedHome::bury(Guest& guest) noexcept {
  const std::lock_guard lock{mutex_};
  guests_.erase(&guest);
  // One by one: each that leaves may let another of its in.
  while (!guest.waiting.empty()) {
    const auto one = guest.waiting.extract(guest.waiting.begin());
    one.mapped()->object.leave(*one.mapped());
  }
  for (const auto& [what, count] : std::exchange(guest.held, {})) {
    HomeObject& object = wire::home_of(what.first) == 0 ? *objects_.at(what.first) : *relay_;
    object.abandon(what, count);
  }
}

}  // namespace weft::work
