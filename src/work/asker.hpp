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
  // What the workers of this one ask of objects further up (shared_relay.hpp) goes to the parent from this process's main
  // thread: by a fiber of it, the courier, or in front of what this worker says itself. So whatever a worker has done
  // before it answers is known to the home before whoever was answered can tell of it.

  /// There are some; from any thread. The first time a courier is started, in a worker that does not serve yet once it does.
  static void tell_of_orders(bool first) noexcept;
  [[nodiscard]] static bool has_orders() noexcept {
    // Relaxed: the home's lock orders what is read then.
    return has_orders_.load(base::relaxed);
  }
  /// Once. Nothing happens in a worker that is a thread.
  void start_courier();
  [[nodiscard]] bool has_courier() const noexcept { return has_courier_; }
  void pass_on() noexcept;
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
  bool has_courier_ = false;
  bool is_passing_on_ = false;
  static base::Atomic<bool> has_orders_;
};

}  // namespace weft::work
