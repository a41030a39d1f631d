#pragma once
// Two lanes and two bells, and the two loops over them that a parent and a worker run: tasks one way, answers the other,
// both sides park, and the parent takes back now and then. Who runs the loops, threads or processes, is the test's affair.

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "doorbell/doorbell.hpp"
#include "ring/consumer.hpp"
#include "ring/lane.hpp"
#include "ring/producer.hpp"
#include "ring/take_back.hpp"

namespace weft::stress {

inline constexpr std::uint32_t kRingLines = 64;

/// How a lane's reader sees it.
enum class Mapping : std::uint8_t {
  one,   ///< at the writer's own address (what ThreadSanitizer can follow)
  twin,  ///< at an address of its own, read-only, as a peer does
};

/// A lane of anonymous shared memory, mapped for its owner and for its reader.
struct Lane {
  ring::LaneView own;
  ring::LaneView peer;
  int bell = -1;  ///< the owner sleeps here

  explicit Lane(Mapping mapping) {
    const std::uint64_t bytes = ring::lane_bytes(kRingLines, 0);
    const int fd = ::memfd_create("weft-stress-lane", MFD_CLOEXEC);
    WEFT_CHECK(fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes)) == 0, "a memfd");
    auto* const writable =
        static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    WEFT_CHECK(writable != MAP_FAILED, "a mapping");
    own = ring::format_lane(writable, kRingLines, 0, 1);
    const std::byte* readable = writable;
    if (mapping == Mapping::twin) {
      readable = static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0));
      WEFT_CHECK(readable != MAP_FAILED, "a second mapping");
    }
    ::close(fd);
    auto opened = ring::open_lane(readable, bytes);
    WEFT_CHECK(opened, "the lane can be opened");
    peer = *opened;
    bell = ::eventfd(0, EFD_CLOEXEC);
    WEFT_CHECK(bell >= 0, "an eventfd");
  }
};

/// One party's ends of the two lanes.
class Party {
 public:
  Party(const Lane& mine, const Lane& theirs) noexcept
      : out{mine.own.ring, kRingLines, &theirs.peer.counters->consumed},
        in{theirs.peer.ring, kRingLines, &mine.own.counters->consumed},
        own{mine.own.counters},
        peer{theirs.peer.counters},
        sleeper_{&mine.own.counters->parked},
        ringer_{&theirs.peer.counters->parked},
        my_bell_{mine.bell},
        their_bell_{theirs.bell} {}

  /// Sends a frame that holds `id`, `word` and filler that follows from `id`. False if there is no room.
  bool send(std::uint64_t id, std::uint32_t word) {
    const std::uint32_t filler = static_cast<std::uint32_t>(id * 37 % 400);
    const std::uint32_t bytes = kHead + filler;
    std::byte* const frame = out.try_claim(bytes);
    WEFT_CHECK(!out.corrupt(), "the peer's counter is believed");
    if (frame == nullptr) return false;
    std::memcpy(frame + 8, &id, sizeof id);
    std::memcpy(frame + 16, &word, sizeof word);
    std::memset(frame + kHead, static_cast<int>(id & 0xff), filler);
    last_position = out.commit(bytes);
    return true;
  }

  /// What the frame that peek() found holds, checked to the last byte.
  std::pair<std::uint64_t, std::uint32_t> read() const {
    std::uint64_t id = 0;
    std::uint32_t word = 0;
    std::memcpy(&id, in.data() + 8, sizeof id);
    std::memcpy(&word, in.data() + 16, sizeof word);
    WEFT_CHECK(in.bytes() == kHead + id * 37 % 400, "a frame has its length");
    for (std::uint32_t at = kHead; at < in.bytes(); ++at) {
      WEFT_CHECK(in.data()[at] == static_cast<std::byte>(id & 0xff), "a frame has its bytes");
    }
    return {id, word};
  }

  bool look() {
    const ring::Peek found = in.peek();
    WEFT_CHECK(found != ring::Peek::corrupt, "no frame looks corrupt");
    return found == ring::Peek::frame;
  }

  /// Waits for a frame: looks a few times, then sleeps. Without a limit: a wake-up that is lost hangs, and the test's
  /// watchdog ends it.
  void await() {
    for (int spin = 0; spin < 50; ++spin) {
      if (look()) return;
    }
    while (!look()) {
      if (in.unpublished()) in.publish_consumed();
      sleeper_.arm(doorbell::Mode::urgent);
      if (!look()) {
        std::uint64_t count = 0;
        WEFT_CHECK(::read(my_bell_, &count, sizeof count) == sizeof count, "the bell was rung");
        ++sleeps;
      }
      sleeper_.disarm();
    }
  }

  /// After publishing. Passes a full fence.
  void ring_if_asleep() {
    const doorbell::Word word = ringer_.published();
    if (word.mode() != doorbell::Mode::urgent || !ringer_.take(word)) return;
    const std::uint64_t one = 1;
    WEFT_CHECK(::write(their_bell_, &one, sizeof one) == sizeof one, "the bell can be rung");
  }

  ring::Producer out;
  ring::Consumer in;
  ring::LaneCounters* own;
  const ring::LaneCounters* peer;
  std::uint64_t last_position = 0;
  std::uint64_t sleeps = 0;

 private:
  static constexpr std::uint32_t kHead = 20;
  doorbell::Sleeper sleeper_;
  doorbell::Ringer ringer_;
  int my_bell_;
  int their_bell_;
};

inline constexpr std::uint32_t kRan = 1;
inline constexpr std::uint32_t kReturned = 2;
inline constexpr std::uint64_t kStop = ~std::uint64_t{0} / 64;  // its filler is computed like any other's

struct Tally {
  std::uint64_t ran = 0;
  std::uint64_t returned = 0;
  std::uint64_t taken = 0;
};

/// The worker's loop: until the parent says stop. Returns how many tasks ran.
inline std::uint64_t work(Party& party) {
  std::uint64_t ran = 0;
  for (;;) {
    party.await();
    const auto [id, word] = party.read();
    const bool runs = ring::begin(*party.own, party.in);
    if (id == kStop) return ran;
    if (runs) ++ran;
    party.in.release();
    while (!party.send(id, runs ? kRan : kReturned)) ::usleep(0);
    ring::claim(*party.own, party.in.position());
    party.ring_if_asleep();
    party.out.prepare();
  }
}

/// The parent's loop: `tasks` of them, up to a window in flight, some taken back. Checks each answer.
inline Tally drive(Party& party, std::uint64_t tasks, std::uint32_t seed) {
  std::mt19937 random{seed};
  Tally tally;
  std::vector<bool> taken(tasks);
  std::uint64_t answered = 0;
  for (std::uint64_t sent = 0; answered < tasks;) {
    const std::uint64_t window = 1 + random() % 12;
    while (sent < tasks && sent - answered < window && party.send(sent, 0)) {
      ++sent;
      party.ring_if_asleep();
      if (random() % 4 == 0) party.out.prepare();
    }
    if (random() % 3 == 0 &&
        ring::try_take_back(party.out, party.last_position, *party.peer) == ring::TakeBack::taken) {
      taken[sent - 1] = true;
    }
    party.await();
    do {
      const auto [id, word] = party.read();
      WEFT_CHECK(id == answered, "answers come in the order of the tasks");
      WEFT_CHECK(!taken[id] || word == kReturned, "a task that was taken back did not run");
      ++(word == kRan ? tally.ran : tally.returned);
      if (taken[id]) ++tally.taken;
      ++answered;
      party.in.release();
    } while (party.look());
  }
  while (!party.send(kStop, 0)) party.in.publish_consumed();
  party.ring_if_asleep();
  return tally;
}

}  // namespace weft::stress
