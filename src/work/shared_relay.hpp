#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "work/shared_home.hpp"

namespace weft::work {

/// A frame for the parent.
struct RelayOrder {
  Asked asked;  ///< but for the key
  std::string key;
  std::shared_ptr<Guest> asker;  ///< of what a living worker asks
};

/// In a worker: what stands for all shared objects that live further up. What a worker of this worker asks of them, this
/// one asks its own parent, which need not know for whom; so it goes up, a process at a time, until it comes to the home.
/// What each has been given is noted with its Guest, as the home notes what this worker has been given.
///
/// Owner: the home. Threads: under the home's lock; what is to be sent is left for the worker's own thread (Asker).
class SharedRelay final : public HomeObject {
 public:
  SharedRelay() noexcept : HomeObject{0} {}

  const char* ask(Visit& visit, const Asked& asked) override;
  void served(Visit&) noexcept override {}  // nobody queues here
  void leave(Visit& visit) noexcept override;
  void withdraw(Visit& visit) noexcept override;
  void abandon(const Holding& what, std::size_t count) noexcept override;
  void close() noexcept override {}

  /// See SharedHome.
  std::vector<RelayOrder> take_orders();
  bool wait(const fiber::Waker& courier) noexcept;
  bool answered(std::uint64_t ticket, Told told);

 private:
  struct Entry {
    std::shared_ptr<Guest> guest;
    Visit* visit;  ///< nullptr: it has died, or wants no answer
    wire::Operation operation;
    Holding what;
    std::size_t count;
    bool withdrawn = false;
  };
  using Entries = std::unordered_map<std::uint64_t, Entry>;

  void order(wire::Operation operation, const Holding& what, std::size_t count, std::uint64_t ticket = 0,
             std::shared_ptr<Guest> asker = nullptr);
  void order(RelayOrder order);
  void order_withdrawal(Visit& visit);

  std::uint64_t last_ticket_ = wire::kRelayed;
  Entries entries_;  ///< asked, and not answered, by ticket
  std::vector<RelayOrder> orders_;
  bool is_known_ = false;  ///< to the worker's own thread
  fiber::Waker courier_;   ///< while it sleeps
};

}  // namespace weft::work
