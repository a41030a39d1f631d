// Shared objects, used by a worker while their home, this process, waits for it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "benchmarks.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

constexpr std::uint64_t kAtOnce = 1000;

void lock_and_unlock(shared::Mutex mutex, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) const std::lock_guard guard{mutex};
}

void add_one(Parcel<std::uint64_t> parcel, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) parcel.synchronized([](std::uint64_t& value) { ++value; });
}

/// `use` does something a thousand times, which counts as so many measurements of the mean.
template <class Use>
void in_thousands(Run& run, std::size_t count, Use use) {
  const std::size_t passes = run.scaled(count / kAtOnce);
  for (std::size_t i = 0; i <= passes; ++i) {
    const std::uint64_t begin = Timer::start();
    use();
    const std::uint64_t took = Timer::stop() - begin;
    if (i > 0) run.span(took / kAtOnce, 0, kAtOnce);
  }
}

void mutex_of_home(Run& run) {
  PinnedPool pinned{run};
  const shared::Mutex mutex;
  in_thousands(run, 200'000, [&] { pinned.pool.submit<lock_and_unlock>(mutex, kAtOnce).get(); });
}

void parcel_of_home(Run& run) {
  PinnedPool pinned{run};
  const Parcel<std::uint64_t> parcel;
  std::uint64_t all = 0;
  in_thousands(run, 200'000, [&] {
    pinned.pool.submit<add_one>(parcel, kAtOnce).get();
    all += kAtOnce;
  });
  if (parcel.unwrap() != all) std::abort();
}

}  // namespace

void add_shared(std::vector<Benchmark>& to) {
  to.push_back({{{"shared.mutex.lock_unlock", "ns"}}, mutex_of_home, true});
  to.push_back({{{"shared.parcel.synchronized", "ns"}}, parcel_of_home, true});
}

}  // namespace weft::bench
