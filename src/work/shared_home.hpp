#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>
#include <weft/detail/gate.hpp>
#include <weft/detail/shared_handle.hpp>

#include "fiber/reactor.hpp"
#include "wire/frame.hpp"

namespace weft::work {

class Guest;
class HomeObject;
class PoolCore;
class SharedRelay;
struct RelayOrder;

/// A complaint: of objects and of the relay.
inline constexpr const char* kNotHeld = "it gave back a shared lock or permit that it did not have";

/// What somebody asks of a shared object, here or in a worker.
struct Asked {
  wire::Operation operation = wire::Operation::take;
  std::size_t count = 0;
  std::uint64_t deadline_ns = UINT64_MAX;  ///< 0: now or never
  std::string_view key;
  std::shared_ptr<const detail::SharedValue> value;
  // Of a worker.
  std::uint64_t object = 0;  ///< its name
  std::uint64_t ticket = 0;  ///< which the answer repeats; 0: there is none
};

/// And what comes of it.
struct Told {
  wire::Verdict verdict = wire::Verdict::came;
  bool abandoned = false;
  std::uint64_t turn_ns = 0;  ///< of a rate limit: when it may go on
  std::shared_ptr<const detail::SharedValue> value;
};

/// Which permits: the object's number, or its name where it lives further up; and a key of it.
using Holding = std::pair<std::uint64_t, std::string>;

/// Somebody who asks, until he is told. Under the home's lock.
class Visit : public detail::Gate::Place {
 public:
  Visit(HomeObject& object_, Guest* guest_, std::size_t count) noexcept
      : Place{count}, object{object_}, guest{guest_} {}

  /// May destroy this.
  virtual void tell(Told what) noexcept = 0;

  HomeObject& object;
  Guest* const guest;     ///< the worker that asks; nullptr: somebody of this process
  void* place = nullptr;  ///< the object's own

 protected:
  ~Visit() = default;

 private:
  void told(bool served) noexcept final;
};

/// An object that processes share, in the process that it lives in. All of it under the home's lock.
class HomeObject {
 public:
  virtual ~HomeObject() = default;
  HomeObject(const HomeObject&) = delete;
  HomeObject& operator=(const HomeObject&) = delete;

  /// Tells `visit` at once or later. Why nobody may ask that of it; nullptr: it may be asked.
  [[nodiscard]] virtual const char* ask(Visit& visit, const Asked& asked) = 0;
  /// A visit that waited has what it wanted.
  virtual void served(Visit& visit) noexcept = 0;
  /// Gives up waiting; it is not told.
  virtual void leave(Visit& visit) noexcept = 0;
  /// Is told at once that it was not in time, unless it has just been given what it waits for.
  virtual void withdraw(Visit& visit) noexcept;
  /// What a worker had that has died.
  virtual void abandon(const Holding& what, std::size_t count) noexcept = 0;
  /// All who wait are told that it is gone.
  virtual void close() noexcept = 0;

  const std::uint64_t id;  ///< its number in this process
  std::weak_ptr<HomeObject> self;

 protected:
  explicit HomeObject(std::uint64_t id_) noexcept : id{id_} {}
};

/// A worker, to the objects that it uses: what it has, what it waits for, and what it must still be told.
/// Owner: its Peer. Threads: under the home's lock, but for the constants.
class Guest : public std::enable_shared_from_this<Guest> {
 public:
  Guest(std::weak_ptr<PoolCore> core_, std::uint64_t peer_) noexcept;
  ~Guest();

  struct Answer {
    std::uint64_t ticket = 0;
    Told told;
  };
  /// False, and it has what it had, if it has not so many.
  [[nodiscard]] bool give_back(const Holding& what, std::size_t count);

  const std::weak_ptr<PoolCore> core;
  const std::uint64_t peer;
  const std::uint64_t home;  ///< this process
  class Waiting;
  std::unordered_map<std::uint64_t, std::unique_ptr<Waiting>> waiting;  ///< by ticket
  std::map<Holding, std::size_t> held;
  std::size_t unsent = 0;  ///< of the relay
  std::vector<Answer> answers;
  bool in_news = false;  ///< of the home
};

/// The shared objects of this process. One lock guards them all, for some instructions at a time.
///
/// Owner: the process; never ended. Threads: any. A pool's lock may be held around its own; it never takes one itself:
/// answers for workers are left with their guests, and deliver() has the pools send them.
class SharedHome {
 public:
  static SharedHome& get();
  SharedHome();
  ~SharedHome() = delete;

  // Of this process.
  template <class Object, class... Args>
  std::shared_ptr<HomeObject> make(Args&&... args) {
    return adopt(std::make_unique<Object>(next_number(), std::forward<Args>(args)...));
  }
  /// nullptr: it is gone.
  std::shared_ptr<HomeObject> find(std::uint64_t number);
  /// Waits. Throws Exhausted. Aborts where nobody may ask that.
  Told ask(HomeObject& object, const Asked& asked);

  // Of a worker.
  /// Why it must not ask this; nullptr: it may, and the answer lies with the guest, or will.
  [[nodiscard]] const char* ask(Guest& guest, const Asked& asked);
  /// Moves out what it must be told; what could not be sent is put back before what has come since.
  std::vector<Guest::Answer> take_answers(Guest& guest);
  void put_back(Guest& guest, std::vector<Guest::Answer> unsent);
  [[nodiscard]] bool has_answers(const Guest& guest);
  /// The worker is dead: what it had passes on.
  void bury(Guest& guest) noexcept;

  /// Has the pools send what their workers must be told. Under no pool's lock.
  void deliver();
  /// True if deliver() has something to do.
  [[nodiscard]] bool has_news();
  /// An answer for `guest`. Under the lock.
  void answer(Guest& guest, std::uint64_t ticket, Told told);

  // Of a process that is a worker itself: what its own workers ask of objects further up (shared_relay.hpp).
  [[nodiscard]] std::vector<RelayOrder> take_orders();
  /// `courier` is woken when there are some. False, and it is not, if there are.
  [[nodiscard]] bool wait_for_orders(const fiber::Waker& courier);
  /// The parent has answered what was passed on. False: it was not asked that. deliver() is due.
  [[nodiscard]] bool relayed(std::uint64_t ticket, Told told);

 private:
  std::uint64_t next_number();
  std::shared_ptr<HomeObject> adopt(std::unique_ptr<HomeObject> object);
  void retire(HomeObject* object) noexcept;
  const char* refuse(Guest& guest, const Asked& asked, const char* complaint);

  std::mutex mutex_;
  std::uint64_t last_serial_ = 0;
  std::unordered_map<std::uint64_t, HomeObject*> objects_;
  std::unordered_set<Guest*> guests_;
  std::vector<std::shared_ptr<Guest>> news_;
  const std::unique_ptr<SharedRelay> relay_;
};

}  // namespace weft::work
