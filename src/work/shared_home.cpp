#include "work/shared_home.hpp"

#include <iterator>
#include <utility>
#include <weft/detail/waited.hpp>
#include <weft/error.hpp>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "sync/spin.hpp"
#include "work/pool_core.hpp"

namespace weft::work {

namespace {

/// A fiber or thread of this process; it stands on its own stack.
class LocalVisit final : public Visit {
 public:
  using Visit::Visit;

  /// Wakes it under the lock, which it takes before it goes on: so its fiber, its thread and this object are still there.
  void tell(Told what) noexcept override {
    told = std::move(what);
    is_told.store(true, base::relaxed);
    if (waker) waker.wake();
  }

  Told told;
  /// Read without the lock too, while it spins: relaxed, since it takes the lock before it believes it.
  base::Atomic<bool> is_told{false};
  fiber::Waker waker;  ///< none while it spins
};

bool has_answer(wire::Operation operation) noexcept {
  return operation != wire::Operation::give && operation != wire::Operation::drop;
}

}  // namespace

void Visit::told(bool served) noexcept {
  if (served) return object.served(*this);
  tell({wire::Verdict::closed, false, 0, nullptr});
}

/// A fiber of a worker.
class Guest::Waiting final : public Visit {
 public:
  Waiting(HomeObject& object_, Guest& guest_, std::uint64_t ticket, std::size_t count) noexcept
      : Visit{object_, &guest_, count}, ticket_{ticket} {}

  void tell(Told what) noexcept override {
    is_told = true;
    guest->answers.push_back({ticket_, std::move(what)});
    SharedHome::get().note(*guest);
    if (is_kept) guest->waiting.erase(ticket_);  // and with it this
  }

  bool is_told = false;
  bool is_kept = false;

 private:
  const std::uint64_t ticket_;
};

Guest::Guest(std::weak_ptr<PoolCore> core_, std::uint64_t peer_) noexcept
    : core{std::move(core_)}, peer{peer_} {}
Guest::~Guest() = default;

SharedHome& SharedHome::get() {
  // Never destroyed: objects in static variables may outlive everything else.
  static SharedHome& the_home = *new SharedHome;
  return the_home;
}

std::uint64_t SharedHome::next_id() {
  const std::lock_guard lock{mutex_};
  return ++last_id_;
}

std::shared_ptr<HomeObject> SharedHome::adopt(std::unique_ptr<HomeObject> object) {
  HomeObject* const bare = object.release();
  std::shared_ptr<HomeObject> owner{bare, [](HomeObject* gone) { SharedHome::get().retire(gone); }};
  const std::lock_guard lock{mutex_};
  bare->self = owner;
  objects_.emplace(bare->id, bare);
  return owner;
}

std::shared_ptr<HomeObject> SharedHome::find(std::uint64_t id) {
  const std::lock_guard lock{mutex_};
  const auto found = objects_.find(id);
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
    if (has_answer(asked.operation) && !self.is_told.load(base::relaxed)) {
      fiber::Reactor* const reactor = fiber::Reactor::try_current();
      is_unable = reactor == nullptr;
      if (!is_unable && !reactor->others_ready()) {
        lock.unlock();
        static_cast<void>(
            sync::spin(*reactor, asked.deadline_ns, [&] { return self.is_told.load(base::relaxed); }));
        lock.lock();
      }
      if (!is_unable && !self.is_told.load(base::relaxed)) {
        self.waker = reactor->waker();
        lock.unlock();
        reactor->suspend(asked.deadline_ns);
        lock.lock();
      }
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

const char* SharedHome::ask(Guest& guest, std::uint64_t id, std::uint64_t ticket, const Asked& asked) {
  const std::lock_guard lock{mutex_};
  guests_.insert(&guest);
  const auto waiting = guest.waiting.find(ticket);
  if (asked.operation == wire::Operation::withdraw) {
    if (waiting == guest.waiting.end()) return nullptr;  // its answer is on its way
    Guest::Waiting& visit = *waiting->second;
    visit.object.leave(visit);
    visit.tell({wire::Verdict::timed_out, false, 0, nullptr});
    return nullptr;
  }
  if (id == 0 || id > last_id_) return "it asked for a shared object that there never was";
  if (waiting != guest.waiting.end()) return "it asked twice with one ticket";
  const bool answered = has_answer(asked.operation);
  if (answered && guest.waiting.size() + guest.answers.size() >= base::kAsksMax)
    return "it asked more of shared objects at once than it may";
  const auto found = objects_.find(id);
  const bool cannot_be_stored = asked.operation == wire::Operation::store && !asked.value;
  if (found == objects_.end() || cannot_be_stored) {
    if (!answered) return nullptr;
    const auto verdict = found == objects_.end() ? wire::Verdict::closed : wire::Verdict::exhausted;
    guest.answers.push_back({ticket, {verdict, false, 0, nullptr}});
    note(guest);
    return nullptr;
  }
  auto visit = std::make_unique<Guest::Waiting>(*found->second, guest, ticket, asked.count);
  const char* const complaint = found->second->ask(*visit, asked);
  if (complaint != nullptr || !answered || visit->is_told) return complaint;
  visit->is_kept = true;
  guest.waiting.emplace(ticket, std::move(visit));
  return nullptr;
}

void SharedHome::note(Guest& guest) noexcept {
  if (std::exchange(guest.in_news, true)) return;
  news_.push_back(guest.shared_from_this());
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
  for (const auto& [what, count] : std::exchange(guest.held, {}))
    objects_.at(what.first)->abandon(what.second, count);
}

}  // namespace weft::work
