#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "base/atomic.hpp"
#include "work/shared_home.hpp"
#include "work/shared_relay.hpp"

namespace weft::work {

class WorkerLoop;

/// A worker's way to the shared objects of its parent: frames there, and fibers that wait for the frames back.
///
/// Owner: the worker's loop. Threads: its main thread alone, but for want_courier(). Waiting suspends the fiber.
class Asker {
 public:
  explicit Asker(WorkerLoop& loop) noexcept : loop_{loop} {}
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  /// The one of this thread; nullptr if it is not the main thread of a worker that serves.
  static Asker* current() noexcept;
  void begin() noexcept;

  /// Suspends until the answer has come. Throws Exhausted, EncodingError.
  Told ask(std::uint64_t object, const Asked& asked);
  /// Where there is no answer.
  void tell(std::uint64_t object, const Asked& asked);

  [[nodiscard]] bool waits() const noexcept { return pending_.size() + relayed_ != 0; }
  /// Takes the answers that come next in the ring. False if there are none.
  bool take_answers() noexcept;
  /// From now on a fiber of this process's main thread passes on what the workers of this one ask (shared_relay.hpp); in
  /// a worker that does not serve yet, from when it does. From any thread: the loop starts it, where one is_wanted().
  static void want_courier() noexcept;
  [[nodiscard]] static bool is_courier_wanted() noexcept {
    return courier_wanted_.load(base::relaxed);  // nothing is read that stands behind it
  }
  /// Nothing happens in a worker that is a thread.
  void start_courier();
  /// The frame at hand is an answer; it is released.
  void on_answer(const wire::FrameHeader& header, std::span<const std::byte> body);

 private:
  struct Pending;
  void send(std::uint64_t object, std::uint64_t ticket, const Asked& asked);
  void hurry(bool at_once) noexcept;
  void run_courier();
  void relay(RelayOrder& order) noexcept;
  void on_relayed(std::uint64_t ticket, Told told) noexcept;

  WorkerLoop& loop_;
  std::uint64_t last_ticket_ = 0;
  std::unordered_map<std::uint64_t, Pending*> pending_;  // by ticket; each stands on its fiber's stack
  std::size_t relayed_ = 0;                              // passed on, and not answered
  static base::Atomic<bool> courier_wanted_;
};

}  // namespace weft::work
