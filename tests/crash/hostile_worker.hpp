#pragma once
// A worker's side of a link, with nothing that keeps it honest.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "base/unique_fd.hpp"
#include "memory/region.hpp"
#include "ring/consumer.hpp"
#include "ring/lane.hpp"
#include "ring/producer.hpp"
#include "wire/control.hpp"
#include "wire/frame.hpp"

namespace weft::crash {

class Impostor {
 public:
  /// Makes the lane that it is offered its own; or lets `spoil` have that, and has none.
  void receive_hello(void (*spoil)(int lane) = nullptr);
  void say_ready() const;
  void say(const wire::ControlMessage& message, std::initializer_list<int> descriptors = {}) const;
  static wire::Identity identity();

  /// The next task's header; its references and payload are below. Claims it, and counts it as begun.
  wire::FrameHeader next_task();
  /// A frame of the ring, well-formed as far as the ring goes, and both of the parent's bells.
  void publish(const wire::FrameHeader& header, std::span<const std::byte> body = {});
  /// Any word where the next frame's length belongs.
  void publish_word(std::uint32_t word);
  void ring_bells() const;
  static wire::FrameHeader answer_to(const wire::FrameHeader& task, wire::Kind kind);
  void answer_honestly(const wire::FrameHeader& task);
  /// Answers so many tasks as `twice` would; -1: for ever.
  void serve(int count);
  /// Waits for the end.
  [[noreturn]] void rest() const;

  int control = 3;
  wire::Hello hello;
  memory::PeerRegion lane_of_parent;
  memory::OwnedRegion lane;
  ring::LaneView own;
  ring::LaneView parent;
  std::array<base::UniqueFd, 2> bells;
  base::UniqueFd bell;
  ring::Producer out;
  ring::Consumer in;
  std::vector<wire::BlockReference> references;
  std::vector<std::byte> payload;
};

/// What must come of a lie for the task that was with the liar.
enum class Outcome {
  violation,
  start_failed,
  incompatible,
  any_error,
  value,
  crash,
  violation_in_time,  ///< not the first task's: it takes a full ring to notice
};

struct Lie {
  const char* name;
  Outcome outcome;
  void (*tell)(Impostor&);
  void (*spoil)(int lane) = nullptr;  ///< what it does to the lane that it is offered
};

/// All of them, for the worker that tells them and the test that expects what comes of it.
std::span<const Lie> lies();
std::span<const Lie> channel_lies();  ///< those of them that are about channels
std::span<const Lie> descriptor_lies();

/// To be called first in main(): in a worker that is to lie it never returns.
void lie_if_asked(int argc, char** argv);

}  // namespace weft::crash
