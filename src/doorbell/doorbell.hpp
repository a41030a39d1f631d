#pragma once

#include <cstdint>

#include "base/atomic.hpp"

namespace weft::doorbell {

// A doorbell wakes a sleeper exactly when somebody published something that it has not seen (doorbell.md has the
// argument). Its shared part is one word, written by the sleeper alone and read by the ringers:
//
//   bits 0..1  Mode     bit 2  which of the sleeper's bells to ring     bits 3..63  epoch, new with each change

/// How the sleeper wants to be told.
enum class Mode : std::uint64_t {
  awake = 0,   ///< it is looking by itself
  lazy = 1,    ///< nobody looks just now: ring once there is nothing better to do, or what was sent grows old
  urgent = 2,  ///< it sleeps: ring at once
  /// It sleeps, and those who work for it have use for its core: ring once there is nothing better to do, or what was
  /// sent grows old, and leave the core to it then.
  patient = 3,
};

/// A value of the shared word.
struct Word {
  std::uint64_t bits = 0;
  [[nodiscard]] Mode mode() const noexcept { return static_cast<Mode>(bits & 3); }
  [[nodiscard]] bool sleeps() const noexcept { return (bits & 2) != 0; }
  /// Lazy or patient: what was sent may grow a little old first.
  [[nodiscard]] bool can_wait() const noexcept { return (bits & 1) != 0; }
  [[nodiscard]] unsigned bell() const noexcept { return static_cast<unsigned>((bits >> 2) & 1); }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return bits >> 3; }
};

/// The sleeper's end. Threads: one at a time (its owner's lock or its only thread).
class Sleeper {
 public:
  Sleeper() = default;
  explicit Sleeper(base::Atomic<std::uint64_t>* word) noexcept : word_{word} {}

  /// Announces sleep. After it returns the caller must look once more for what it waits for, and may only then sleep:
  /// whoever publishes later sees this word.
  void arm(Mode mode, unsigned bell = 0) noexcept {
    store(mode, bell);
    // SYNC doorbell: pairs with the fence in Ringer::published().
    base::full_fence();
  }

  /// The sleeper looks by itself again (`awake`), or leaves it to another bell (`lazy`).
  void disarm(Mode mode = Mode::awake, unsigned bell = 0) noexcept { store(mode, bell); }

 private:
  void store(Mode mode, unsigned bell) noexcept {
    ++epoch_;
    // Relaxed: arm() fences; a ringer that still sees the older word after disarm() rings once for nothing.
    word_->store(epoch_ << 3 | static_cast<std::uint64_t>(bell & 1) << 2 | static_cast<std::uint64_t>(mode),
                 base::relaxed);
  }

  base::Atomic<std::uint64_t>* word_ = nullptr;
  std::uint64_t epoch_ = 0;
};

/// A ringer's end: one a link and direction. Threads: one at a time.
class Ringer {
 public:
  Ringer() = default;
  explicit Ringer(const base::Atomic<std::uint64_t>* word) noexcept : word_{word} {}

  /// To be called after publishing: the full fence, then the look at the sleeper's word.
  [[nodiscard]] Word published() noexcept {
    // SYNC doorbell: what was published stands before the read of the word; pairs with the fence in Sleeper::arm().
    base::full_fence();
    return look();
  }

  /// The same where the caller has just passed a full fence of its own.
  [[nodiscard]] Word look() const noexcept {
    // Relaxed: the fence before it is what orders it.
    return Word{word_->load(base::relaxed)};
  }

  /// True if the bell of this word's epoch was not rung yet; then it is now, and the caller must write the eventfd.
  [[nodiscard]] bool take(Word word) noexcept {
    if (word.epoch() == rung_) return false;
    rung_ = word.epoch();
    return true;
  }

 private:
  const base::Atomic<std::uint64_t>* word_ = nullptr;
  std::uint64_t rung_ = 0;
};

}  // namespace weft::doorbell
