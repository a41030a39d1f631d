#pragma once
// The explorer behind engine.hpp: fibers, choices, and the states that were seen.

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine.hpp"
#include "memory.hpp"

namespace weft::model {

/// What a thread is about to do; some of it has to wait.
enum class Next : std::uint8_t { step, newer, bell, futex, interrupts, end_of, nothing };

struct Thread {
  boost::context::detail::fcontext_t context = nullptr;
  void* fake_stack = nullptr;  // AddressSanitizer's
  Next next = Next::nothing;
  unsigned object = 0;     ///< of what it waits for: a bell, a word, a thread
  bool timed = false;      ///< a futex sleep that may end by itself
  bool woken = false;      ///< from a futex
  bool fence_due = false;  ///< an interrupt by process_wide_fence() is on its way
  bool mortal = false;
  bool dead = false;
  bool polling = false;
  std::uint64_t history = 0;  ///< hash of all that it has done and seen, which determines where it stands
  std::vector<std::pair<unsigned, Stamp>> looked;  ///< loads of this round of a polling loop
};

/// One line of a trace.
struct Event {
  unsigned thread;
  const char* what;
  int word;  ///< -1: none
  std::uint64_t value;
  unsigned behind;  ///< so many newer values were there
  Site site;
};

class Explorer {
 public:
  Explorer(const std::string& name, std::size_t bytes, const Make& make, const Options& options);
  ~Explorer();
  Report run();

  static Explorer* active;

  [[nodiscard]] unsigned current() const noexcept { return static_cast<unsigned>(current_); }
  [[nodiscard]] bool in_thread() const noexcept { return current_ >= 0; }
  [[noreturn]] void fail(const std::string& message);
  void note_failure(const std::string& message);

  std::uint64_t load(const void* address, unsigned bytes, std::memory_order order, Site site);
  void store(void* address, unsigned bytes, std::uint64_t value, std::memory_order order, Site site);
  std::uint64_t change(void* address, unsigned bytes, Change how, std::uint64_t operand,
                       std::memory_order order, Site site);
  void fence(Site site);
  std::uint32_t plain_load(const void* address, Site site);
  void plain_store(void* address, std::uint32_t value, Site site);
  void begin_poll();
  void end_poll();
  void ring(const void* bell, Site site);
  void wait(const void* bell, Site site);
  bool futex_wait(const void* address, std::uint32_t expected, bool timed);
  void futex_wake_one(const void* address);
  void process_wide_fence(Site site);
  void checkpoint(std::uint64_t local);
  void await_end_of(unsigned thread);
  [[nodiscard]] bool died(unsigned thread) const noexcept { return threads_[thread].dead; }
  void name_word(const void* address, const char* name, int index);

 private:
  struct Choice {
    std::uint32_t taken;
    std::uint32_t count;
  };
  enum class Move : std::uint8_t { step, kill, interrupt };
  struct Transition {
    Move move;
    unsigned thread;
  };
  struct BellState {
    const void* address;
    std::uint64_t count;
    std::uint64_t rings;
    View view;
  };

  void execute();
  bool schedule();
  void begin_execution();
  void collect(std::vector<Transition>& found) const;
  [[nodiscard]] bool enabled(const Thread& thread) const;
  [[nodiscard]] bool newer_than_looked(const Thread& thread) const;
  [[nodiscard]] std::string who_waits() const;
  [[nodiscard]] std::uint64_t state_key() const;
  [[nodiscard]] std::uint64_t memory_key() const;
  [[nodiscard]] std::uint32_t choose(std::size_t count);
  bool advance();

  static void enter(boost::context::detail::transfer_t from);
  void resume(unsigned thread);
  void yield();
  void before(Next next, unsigned object = 0);
  void before_store();

  Thread& self() { return threads_[static_cast<unsigned>(current_)]; }
  void remember(std::uint64_t a, std::uint64_t b, std::uint64_t c);
  void remember_read(std::uint64_t what, std::uint64_t object, std::uint64_t which, std::uint64_t value);
  void record(const char* what, int word, std::uint64_t value, unsigned behind, Site site);
  void check_race(unsigned word, bool writes, bool plain, Site site);
  [[nodiscard]] bool mutated(Site site, Role role);
  [[nodiscard]] std::memory_order weaken(std::memory_order order, Site site);
  BellState& bell_at(const void* address);
  [[nodiscard]] std::string format_trace() const;
  [[nodiscard]] std::string word_name(unsigned word) const;

  Options options_;
  Make make_;
  Report report_;
  Memory memory_;
  std::vector<Thread> threads_;
  std::vector<BellState> bells_;
  std::vector<Choice> path_;
  std::size_t depth_ = 0;
  std::vector<Transition> transitions_;
  std::vector<std::uint32_t> candidates_;
  std::vector<Event> trace_;
  std::unordered_set<std::uint64_t> seen_;
  std::unordered_set<std::uint64_t> noted_;
  std::map<std::uintptr_t, std::string> names_;
  void* memory_block_ = nullptr;
  std::size_t stack_bytes_ = 0;
  std::byte* stacks_ = nullptr;
  Scenario* scenario_ = nullptr;
  int current_ = -1;
  bool store_points_ = false;
  bool failed_ = false;
  boost::context::detail::fcontext_t scheduler_ = nullptr;
  const void* main_stack_ = nullptr;  // AddressSanitizer's
  std::size_t main_stack_bytes_ = 0;
};

}  // namespace weft::model
