#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "work/shared_home.hpp"

namespace weft::work {

class WorkerLoop;

/// A worker's way to the shared objects of its parent: frames there, and fibers that wait for the frames back.
///
/// Owner: the worker's loop. Threads: its main thread alone. Waiting suspends the fiber.
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

  [[nodiscard]] bool waits() const noexcept { return !pending_.empty(); }
  /// Takes the answers that come next in the ring. False if there are none.
  bool take_answers() noexcept;
  /// The frame at hand is an answer; it is released.
  void on_answer(const wire::FrameHeader& header, std::span<const std::byte> body);

 private:
  struct Pending;
  void send(std::uint64_t object, std::uint64_t ticket, const Asked& asked);
  void hurry(bool at_once) noexcept;

  WorkerLoop& loop_;
  std::uint64_t last_ticket_ = 0;
  std::unordered_map<std::uint64_t, Pending*> pending_;  // by ticket; each stands on its fiber's stack
};

}  // namespace weft::work
