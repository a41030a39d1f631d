#pragma once
// An exhaustive model checker in the manner of relacy and CDSChecker. A scenario's threads are fibers; at every
// operation on an atomic the explorer chooses who goes next and which of the possible values a load returns, and it
// runs the scenario again and again until every choice was taken (README.md).

#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "weft_model_atomic.hpp"

namespace weft::model {

/// What an operation at a place in the sources is there for; what a mutation takes away.
enum class Role : std::uint8_t { acquire, release, store, fence, barrier };

/// One operation of the checked sources, by file and line.
struct Place {
  std::string file;
  int line = 0;
  Role role = Role::store;
  auto operator<=>(const Place&) const = default;
};
std::string describe(const Place& place);

struct Options {
  /// Is weakened wherever it is met: acquire and release become relaxed, a store or a fence is left out.
  const Place* mutation = nullptr;
  /// False: other threads are let in before every store, and no state is cut off because it has been explored before. To
  /// check the reductions themselves, on something small.
  bool reduced = true;
  /// More executions than that are a failure: exhaustive or nothing.
  std::uint64_t executions_max = 20'000'000;
};

struct Report {
  std::string name;
  std::string failure;  ///< empty: no execution fails
  std::string trace;    ///< of the failing execution
  std::uint64_t executions = 0;
  std::uint64_t states = 0;
  std::uint64_t steps = 0;
  double seconds = 0;      ///< of processor time
  std::set<Place> places;  ///< operations met in the shipped sources (below src/)
  [[nodiscard]] bool holds() const noexcept { return failure.empty(); }
  [[nodiscard]] std::string summary() const;
};

/// What is explored: made anew, at the same address, for every execution. Threads share nothing but atomics, bells and
/// words of plain_load()/plain_store(); what they note for end() each notes in variables of its own. Their locals need
/// no destructor: an execution that is cut short never returns to them.
class Scenario {
 public:
  virtual ~Scenario() = default;
  [[nodiscard]] virtual unsigned thread_count() const = 0;
  virtual void run(unsigned thread) = 0;
  /// When all threads have ended or died.
  virtual void end() {}
  /// True if the thread may be killed before any of its operations.
  [[nodiscard]] virtual bool mortal(unsigned) const { return false; }
  /// True if its threads call checkpoint(); then they must not use plain memory.
  [[nodiscard]] virtual bool checkpoints() const { return false; }
  /// True if process_wide_fence() is used: then it matters what a thread has stored when it is interrupted.
  [[nodiscard]] virtual bool interrupted() const { return false; }
};

using Make = std::function<Scenario*(void* memory)>;
Report explore(const std::string& name, std::size_t bytes, const Make& make, const Options& options);

template <class S, class... Arguments>
Report explore(const std::string& name, const Options& options, Arguments... arguments) {
  return explore(
      name, sizeof(S), [=](void* memory) -> Scenario* { return ::new (memory) S(arguments...); }, options);
}

// For scenarios.

/// Ends the execution as a failure. In a thread or in end().
void require(bool condition, const char* message);
/// Sleeps until one of the words that this thread has loaded since the last begin_poll() holds a newer value, and sees
/// to it that not all of them return the old one again: a polling loop, of which only the rounds that differ are run.
void begin_poll();
void end_poll();
/// Says that what this thread does from here on depends on `local` (and the place of the call) alone, not on how it got
/// here: states that differ in no more than that are explored once.
void checkpoint(std::uint64_t local);
/// Plain memory, 4 bytes a word, with data races reported.
std::uint32_t plain_load(const void* word, WEFT_MODEL_CALLER);
void plain_store(void* word, std::uint32_t value, WEFT_MODEL_CALLER);
/// Waits until the other thread has died or ended; then all that it did is known, as the kernel sees to.
void await_end_of(unsigned thread);
[[nodiscard]] bool died(unsigned thread);
/// A name for an address, in traces. `name` is a literal; an index of -1 is not shown.
void name_word(const void* address, const char* name, int index = -1);

/// Calls `look` until it returns true.
template <class Look>
void poll(Look look) {
  for (begin_poll(); !look(); begin_poll()) end_poll();
}

/// An eventfd: rings are counted, and a wait takes them all.
class Bell {
 public:
  void ring(WEFT_MODEL_CALLER);
  void wait(WEFT_MODEL_CALLER);

 private:
  char unique_ = 0;  // the explorer knows a bell by its address
};

// What the kernel does for base/mutex.cpp (its ::syscall is compiled as weft_model_syscall).

/// False if the word does not hold `expected`. A `timed` sleep may also end because a newer value has come.
bool futex_wait(const void* word, std::uint32_t expected, bool timed);
void futex_wake_one(const void* word);
/// A full fence on every thread, each at its own moment before this returns.
void process_wide_fence(WEFT_MODEL_CALLER);

}  // namespace weft::model
