// A worker that shakes hands as it should and then lies, in the way that WEFT_LIE names (lies.hpp). If WEFT_LIE_MARK
// names a file, only the process that can create it lies; the others are honest workers.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <random>
#include <thread>
#include <weft/weft.hpp>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "crash/hostile_worker.hpp"
#include "process/black_box.hpp"
#include "process/descriptors.hpp"
#include "work/identity.hpp"
#include "work/worker_main.hpp"

namespace {

int twice(int number) { return 2 * number; }
WEFT_TASK(twice, twice);
std::size_t length_of(const weft::Buffer& buffer) { return buffer.size(); }
WEFT_TASK(length_of, length_of);
weft::Buffer same(const weft::Buffer& buffer) { return buffer; }
WEFT_TASK(same, same);

}  // namespace

namespace weft::crash {

void Impostor::receive_hello(void (*spoil)(int lane)) {
  std::vector<std::byte> buffer(256 * 1024);
  auto received = process::receive(control, buffer, 8, process::Wait::yes);
  WEFT_CHECK(received && received->state == process::Received::State::message, "no Hello");
  auto message = wire::decode_control(std::span{buffer}.first(received->bytes));
  WEFT_CHECK(static_cast<bool>(message), "a bad Hello");
  hello = std::get<wire::Hello>(*message);
  auto& fds = received->descriptors;
  auto parent_lane = memory::PeerRegion::map(std::move(fds[0]), hello.parent_lane_bytes);
  WEFT_CHECK(static_cast<bool>(parent_lane), "no lane");
  lane_of_parent = *std::move(parent_lane);
  parent = *ring::open_lane(lane_of_parent.data(), lane_of_parent.bytes());
  bells = {std::move(fds[2]), std::move(fds[3])};
  bell = std::move(fds[4]);
  if (spoil != nullptr) return spoil(fds[5].get());
  auto taken = memory::OwnedRegion::take(std::move(fds[5]), hello.worker_lane_bytes);
  WEFT_CHECK(static_cast<bool>(taken), "no lane of its own");
  lane = *std::move(taken);
  own = ring::format_lane(lane.data(), hello.ring_lines, hello.black_box_bytes,
                          static_cast<std::uint32_t>(::getpid()));
  process::make_black_box({own.black_box, static_cast<std::size_t>(own.black_box_bytes)});
  out = ring::Producer{own.ring, own.ring_lines, &parent.counters->consumed};
  in = ring::Consumer{parent.ring, parent.ring_lines, &own.counters->consumed};
  own.counters->parked.store(2 | 8, base::relaxed);
}

void Impostor::say(const wire::ControlMessage& message, std::initializer_list<int> descriptors) const {
  const std::vector<int> fds{descriptors};
  static_cast<void>(process::send(control, wire::encode(message), fds, process::Wait::yes));
}

void Impostor::say_ready() const { say(wire::Ready{identity(), static_cast<std::uint32_t>(::getpid())}); }

wire::Identity Impostor::identity() { return work::own_identity(); }

wire::FrameHeader Impostor::next_task() {
  for (;;) {
    if (in.peek() != ring::Peek::frame) {
      // Poor manners, but it need not be fast. The parent kills it, or dies.
      std::this_thread::sleep_for(std::chrono::microseconds{200});
      continue;
    }
    const wire::FrameHeader header = wire::get(in.data());
    const std::byte* const first = in.data() + sizeof header;
    references.assign(header.attachments, {});
    if (header.attachments != 0)
      std::memcpy(references.data(), first, header.attachments * sizeof(wire::BlockReference));
    const std::size_t before = header.attachments * sizeof(wire::BlockReference);
    payload.assign(first + before, in.data() + in.bytes());
    own.counters->claimed.store(in.position() + 1, base::relaxed);
    own.counters->begun.store(in.position() + 1, base::relaxed);
    in.release();
    in.publish_consumed();
    if (header.kind == wire::Kind::task) return header;
  }
}

void Impostor::ring_bells() const {
  const std::uint64_t one = 1;
  for (const auto& each : bells) {
    if (::write(each.get(), &one, sizeof one) < 0) std::perror("bell");
  }
}

void Impostor::publish(const wire::FrameHeader& header, std::span<const std::byte> body) {
  const auto bytes = static_cast<std::uint32_t>(sizeof header + body.size());
  std::byte* const frame = out.try_claim(bytes);
  if (frame != nullptr) {
    wire::put(frame, header);
    if (!body.empty()) std::memcpy(frame + sizeof header, body.data(), body.size());
    out.commit(bytes);
  }
  ring_bells();
}

void Impostor::publish_word(std::uint32_t word) {
  auto* const head = reinterpret_cast<ring::FrameHead*>(out.at(out.position()));
  head->length.store(word, base::release);
  ring_bells();
}

wire::FrameHeader Impostor::answer_to(const wire::FrameHeader& task, wire::Kind kind) {
  wire::FrameHeader header;
  header.slot = task.slot;
  header.generation = task.generation;
  header.kind = kind;
  header.encoding = static_cast<std::uint8_t>(Encoding::bytes);
  return header;
}

void Impostor::answer_honestly(const wire::FrameHeader& task) {
  int number = 0;
  if (payload.size() >= sizeof number) std::memcpy(&number, payload.data(), sizeof number);
  number *= 2;
  publish(answer_to(task, wire::Kind::value), std::as_bytes(std::span{&number, 1}));
}

void Impostor::serve(int count) {
  own.counters->task_ticks.store(1, base::relaxed);
  for (int i = 0; count < 0 || i < count; ++i) answer_honestly(next_task());
}

void Impostor::rest() const {
  // Its parent is the only one to end it; if that is gone, the socket says so.
  std::byte ignored[4096];
  for (;;) {
    auto got = process::receive(control, ignored, process::kDescriptorsMax, process::Wait::yes);
    if (!got || got->state == process::Received::State::closed) ::_exit(0);
  }
}

}  // namespace weft::crash
