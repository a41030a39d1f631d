// The ring alone: the shipped producer and consumer over two processes that spin, frames of 60 bytes.

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "benchmarks.hpp"
#include "harness/cpus.hpp"
#include "harness/peer.hpp"
#include "harness/shared.hpp"
#include "ring/consumer.hpp"
#include "ring/lane.hpp"
#include "ring/producer.hpp"

namespace weft::bench {

namespace {

constexpr std::uint32_t kFrameBytes = 60;
constexpr std::size_t kPayloadBytes = kFrameBytes - sizeof(ring::FrameHead);

// What one process writes and the other reads: a lane without its header and black box.
struct Half {
  ring::LaneCounters counters;
  alignas(4096) std::byte ring[base::kRingLines * base::kLineBytes];
};

// One side's ends of both rings.
class Side {
 public:
  Side(Half& own, Half& peer)
      : out_{own.ring, base::kRingLines, &peer.counters.consumed},
        in_{peer.ring, base::kRingLines, &own.counters.consumed} {}

  void send(const std::byte* payload) noexcept {
    std::byte* frame = out_.try_claim(kFrameBytes);
    while (frame == nullptr) {
      base::spin_pause();
      frame = out_.try_claim(kFrameBytes);
    }
    std::memcpy(frame + sizeof(ring::FrameHead), payload, kPayloadBytes);
    out_.commit(kFrameBytes);
    out_.prepare();
  }

  /// Waits for a frame. Its payload stays where it is until release().
  const std::byte* receive() noexcept {
    for (ring::Peek seen = in_.peek(); seen != ring::Peek::frame; seen = in_.peek()) {
      if (seen == ring::Peek::corrupt) std::abort();
      base::spin_pause();
    }
    return in_.data() + sizeof(ring::FrameHead);
  }
  void release() noexcept { in_.release(); }

 private:
  ring::Producer out_;
  ring::Consumer in_;
};

void echo_peer() {
  const auto theirs = Shared<Half>::open(peer_fd(0));
  const auto mine = Shared<Half>::open(peer_fd(1));
  Side side{*mine, *theirs};
  for (;;) {
    side.send(side.receive());
    side.release();
  }
}

void round_trips(Run& run) {
  const auto mine = Shared<Half>::create();
  const auto theirs = Shared<Half>::create();
  const Pinned pinned{run.cpu()};
  const Peer peer{"ring.round_trip", {mine.fd(), theirs.fd()}, run.peer_cpu()};
  Side side{*mine, *theirs};
  std::byte payload[kPayloadBytes] = {};
  const auto round_trip = [&] {
    side.send(payload);
    std::memcpy(payload, side.receive(), kPayloadBytes);
    side.release();
  };
  // Twice round the ring: lines that nobody has written yet are dearer.
  for (std::uint32_t i = 0; i < 2 * base::kRingLines; ++i) round_trip();
  run.each(400'000, round_trip);
}

// A payload is a number. The peer adds them up, and answers with the sum when it gets this one.
constexpr std::uint64_t kTell = UINT64_MAX;

void sum_peer() {
  const auto theirs = Shared<Half>::open(peer_fd(0));
  const auto mine = Shared<Half>::open(peer_fd(1));
  Side side{*mine, *theirs};
  std::byte payload[kPayloadBytes] = {};
  for (std::uint64_t sum = 0;;) {
    std::uint64_t number = 0;
    std::memcpy(&number, side.receive(), sizeof number);
    side.release();
    if (number != kTell) {
      sum += number;
      continue;
    }
    std::memcpy(payload, &sum, sizeof sum);
    side.send(payload);
  }
}

void one_way(Run& run) {
  const auto mine = Shared<Half>::create();
  const auto theirs = Shared<Half>::create();
  const Pinned pinned{run.cpu()};
  const Peer peer{"ring.one_way", {mine.fd(), theirs.fd()}, run.peer_cpu()};
  Side side{*mine, *theirs};
  std::byte payload[kPayloadBytes] = {};
  std::uint64_t expected = 0;
  const auto send_all = [&](std::uint64_t count) {
    for (std::uint64_t i = 0; i <= count; ++i) {
      const std::uint64_t number = i < count ? i : kTell;
      if (number != kTell) expected += number;
      std::memcpy(payload, &number, sizeof number);
      side.send(payload);
    }
    std::uint64_t sum = 0;
    std::memcpy(&sum, side.receive(), sizeof sum);
    side.release();
    if (sum != expected) std::abort();
  };
  send_all(100'000);
  const std::size_t count = run.scaled(20'000'000);
  const std::uint64_t begin = Timer::start();
  send_all(count);
  run.rate(count + 1, Timer::stop() - begin);
}

}  // namespace

void add_ring(std::vector<Benchmark>& to) {
  add_peer("ring.round_trip", echo_peer);
  add_peer("ring.one_way", sum_peer);
  to.push_back({{{"ring.round_trip", "ns"}}, round_trips, true});
  to.push_back({{{"ring.one_way", "1/s"}}, one_way, true});
}

}  // namespace weft::bench
