#pragma once

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <vector>
#include <weft/weft.hpp>

#include "contract/gate.hpp"

namespace weft::contract {

/// Calls `wait` and meets whoever else comes to `met`: once they have, the home knows what `wait` waits for, since what a
/// worker asks comes in order.
template <class Wait>
void meet_while_it_waits(shared::Barrier met, Wait wait) {
  boost::fibers::fiber waits{wait};
  boost::this_fiber::yield();
  met.arrive_and_wait();
  waits.join();
}

/// Only ever the same where one at a time has them.
struct Twins {
  std::uint64_t one = 0;
  std::uint64_t other = 0;
};
constexpr int kRounds = 50;
inline void count_up(Parcel<Twins> twins, shared::Mutex mutex, shared::KeyedSemaphore permits) {
  for (int round = 0; round < kRounds; ++round) {
    const auto permit = permits.acquire(round % 2 == 0 ? "even" : "odd");
    const std::lock_guard guard{mutex};
    const Twins before = twins.unwrap();
    if (before.one != before.other) std::abort();
    twins.synchronized([](Twins& both) {
      ++both.one;
      ++both.other;
    });
  }
}

inline int look_at(Parcel<int> parcel) { return parcel.unwrap(); }

inline bool was_it_abandoned(shared::Mutex mutex) {
  const std::lock_guard guard{mutex};
  return mutex.was_abandoned();
}

/// Meets the test while it waits for the mutex.
inline bool will_it_be_abandoned(shared::Mutex mutex, shared::Barrier met) {
  bool was = false;
  meet_while_it_waits(met, [&] { was = was_it_abandoned(mutex); });
  return was;
}

}  // namespace weft::contract
