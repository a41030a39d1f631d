#pragma once
// The memory of the model: C++20's atomics as RC11 defines them (Lahav et al., PLDI 2017), made operational with views
// (Kang et al., POPL 2017, without promises). A word is the list of all values that were ever stored to it, in its
// modification order; a thread's view says how far along each list it must already have come. A load may return any
// value from there on; acquire joins the view that a release left with the value; fences join views with one that all
// of them share. Only load buffering is left out (as in RC11): no load sees a store that comes after it in a cycle.

#include <array>
#include <cstdint>
#include <vector>

#include "weft_model_atomic.hpp"

namespace weft::model {

inline constexpr unsigned kThreadsMax = 4;
inline constexpr unsigned kWordsMax = 192;

/// Place of a value in the modification order of its word. Stamps are spaced, so that a store can come between others.
using Stamp = std::uint16_t;
inline constexpr Stamp kStampStep = 256;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept;

/// What somebody is known to have seen: of each word, up to where; of each thread, up to which of its steps by
/// happens-before.
struct View {
  std::array<Stamp, kWordsMax> stamps{};
  std::array<std::uint16_t, kThreadsMax> clocks{};
  void join(const View& other) noexcept;
  void join_stamps(const View& other) noexcept;
};

/// One value of a word.
struct Message {
  std::uint64_t value = 0;
  Stamp stamp = 0;
  std::uint16_t clock = 0;  ///< the writer's step
  std::uint8_t writer = 0;
  bool initial = false;
  bool chained =
      false;  ///< written by a read-modify-write that read the value just before it: nothing comes between
  bool plain = false;  ///< written by a store that is not atomic
  View view;           ///< what who acquires it comes to know
};

struct Word {
  std::uintptr_t address = 0;
  unsigned bytes = 0;
  bool touched = false;  ///< in this execution
  std::vector<Message> messages;
  std::array<std::uint16_t, kThreadsMax> atomic_reads{};  ///< each thread's last step that read it so
  std::array<std::uint16_t, kThreadsMax> plain_reads{};
};

/// What one thread knows.
struct Knowledge {
  View current;
  View acquired;  ///< current, and what its relaxed loads would bring if a fence followed
  View released;  ///< what its relaxed stores pass on: current as of its last fence
};

class Memory {
 public:
  /// Forgets all values, but not which word has which index: explored states are told apart by it.
  void reset() noexcept;

  /// The word at `address`; its first value in this execution is what the real memory holds.
  unsigned word_at(const void* address, unsigned bytes);
  [[nodiscard]] Word& word(unsigned index) noexcept { return words_[index]; }
  [[nodiscard]] const Word& word(unsigned index) const noexcept { return words_[index]; }

  /// Candidates for what a load by `thread` may return: indices into the word's messages.
  [[nodiscard]] std::uint32_t first_readable(unsigned thread, unsigned word) const noexcept;
  /// Candidates for a value that a read-modify-write may read and follow, or that a store may follow.
  void followable(unsigned thread, unsigned word, std::vector<std::uint32_t>& found) const;

  std::uint64_t read(unsigned thread, unsigned word, std::uint32_t message, std::memory_order order) noexcept;
  /// Adds a value after message `after`. A `chained` one read that message (its release sequence goes on).
  void write(unsigned thread, unsigned word, std::uint32_t after, std::uint64_t value,
             std::memory_order order, bool chained, bool plain);
  void fence(unsigned thread) noexcept;
  void join(unsigned thread, const View& view) noexcept;
  /// Of all that can still have an influence, where `alive` says which of the `count` threads will go on; happens-before
  /// is left out, so it is no key where plain memory is used.
  [[nodiscard]] std::uint64_t hash_of_all(const bool* alive, unsigned count) const noexcept;
  [[nodiscard]] std::uint64_t hash_of_view(const View& view, const View& floor) const noexcept;
  /// As after the other thread's death: all that it did is known.
  void join_thread(unsigned thread, unsigned other) noexcept;
  /// The thread must not read older values of the word than this one any more.
  void raise(unsigned thread, unsigned word, Stamp stamp) noexcept;

  /// True unless somebody else's access to the word is unordered with this one, and one of the two is plain and one of
  /// them writes.
  [[nodiscard]] bool race_free(unsigned thread, unsigned word, bool writes, bool plain) const noexcept;

  void step(unsigned thread) noexcept;
  [[nodiscard]] Knowledge& of(unsigned thread) noexcept { return threads_[thread]; }
  /// Of what all fences so far have made known to the next one.
  [[nodiscard]] std::uint64_t hash_of_fences() const noexcept;

 private:
  [[nodiscard]] bool knows(unsigned thread, unsigned other, std::uint16_t clock) const noexcept {
    return other == thread || threads_[thread].current.clocks[other] >= clock;
  }

  std::vector<Word> words_;
  std::vector<std::uint32_t> table_;  ///< open addressing: index of a word plus one
  std::array<Knowledge, kThreadsMax> threads_;
  View fences_;
};

}  // namespace weft::model
