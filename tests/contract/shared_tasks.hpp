#pragma once

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
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
