// Every way of lying that the tests know. The first part lies instead of Ready, the second while it has a task.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <weft/codec.hpp>

#include "crash/hostile_worker.hpp"
#include "crash/shared_lies.hpp"
#include "wire/failure.hpp"

namespace weft::crash {

namespace {

using wire::Kind;

int memfd(off_t bytes) {
  const int fd = ::memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  static_cast<void>(::ftruncate(fd, bytes));
  return fd;
}

void seal(int fd) {
  static_cast<void>(
      ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL));
}

void say_ready(Impostor& me) { me.say_ready(); }

void raw_control(const Impostor& me, std::size_t bytes, unsigned seed) {
  std::mt19937 random{seed};
  std::vector<unsigned char> noise(bytes);
  for (auto& each : noise) each = static_cast<unsigned char>(random());
  static_cast<void>(::write(me.control, noise.data(), noise.size()));
}

wire::FrameHeader begin(Impostor& me) {
  me.say_ready();
  return me.next_task();
}

void answer_with_references(Impostor& me, std::vector<wire::BlockReference> references, std::uint16_t count) {
  wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::value);
  header.attachments = count;
  me.publish(header, std::as_bytes(std::span{references}));
}

/// A chunk of 64 KiB that the parent has been told of, as it should be.
void send_chunk(Impostor& me, std::uint32_t id) {
  auto chunk = memory::OwnedRegion::create("hostile-chunk", 64 * 1024);
  me.say(wire::Chunk{id, 64 * 1024}, {chunk->fd()});
}

void noise(Impostor& me, unsigned seed) {
  const wire::FrameHeader task = begin(me);
  std::mt19937 random{seed};
  for (int round = 0; round < 64; ++round) {
    // Half of them with a header that is nearly right, so that the parent looks further in.
    wire::FrameHeader header = Impostor::answer_to(task, static_cast<Kind>(1 + random() % 11));
    header.flags = static_cast<std::uint16_t>(random() % 4);
    header.attachments = static_cast<std::uint16_t>(random() % 3 == 0 ? random() % 4 : 0);
    if (random() % 4 == 0) ++header.generation;
    std::vector<std::byte> body(random() % 200);
    for (auto& each : body) each = static_cast<std::byte>(random() % 3 == 0 ? random() : 0);
    me.publish(header, body);
  }
  for (std::size_t at = 0; at < me.own.ring_lines * 64; at += 4) {
    const auto word = static_cast<std::uint32_t>(random());
    std::memcpy(me.own.ring + at, &word, sizeof word);
  }
  me.ring_bells();
}

const Lie kLies[] = {
    // Instead of Ready.
    {"noise_for_ready", Outcome::start_failed, [](Impostor& me) { raw_control(me, 300, 1); }},
    {"one_byte_for_ready", Outcome::start_failed, [](Impostor& me) { raw_control(me, 1, 2); }},
    {"goodbye_for_ready", Outcome::start_failed, [](Impostor& me) { me.say(wire::Goodbye{}); }},
    {"hello_for_ready", Outcome::start_failed, [](Impostor& me) { me.say(me.hello); }},
    {"start_error_with_a_failure_of_noise", Outcome::start_failed,
     [](Impostor& me) {
       me.say(wire::StartError{"somewhere", "no reason", std::vector<std::byte>(100, std::byte{0xa5})});
       ::_exit(1);
     }},
    {"ready_with_descriptors", Outcome::start_failed,
     [](Impostor& me) {
       me.say(wire::Ready{Impostor::identity(), 1}, {me.lane.fd(), me.bell.get()});
     }},
    {"ready_with_too_many_descriptors", Outcome::start_failed,
     [](Impostor& me) {
       me.say(wire::Ready{Impostor::identity(), 1}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
     }},
    {"lane_without_seals", Outcome::start_failed, say_ready, [](int) {}},
    {"lane_of_one_page", Outcome::start_failed, say_ready,
     [](int lane) {
       static_cast<void>(::ftruncate(lane, 4096));
       seal(lane);
     }},
    {"lane_of_no_bytes", Outcome::start_failed, say_ready,
     [](int lane) {
       static_cast<void>(::ftruncate(lane, 0));
       seal(lane);
     }},
    {"lane_of_holes", Outcome::start_failed, say_ready,
     [](int lane) {
       static_cast<void>(::fallocate(lane, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 65536));
       seal(lane);
     }},
    {"lane_of_zeroes", Outcome::start_failed, say_ready, seal},
    {"lane_without_its_magic", Outcome::start_failed,
     [](Impostor& me) {
       me.own.header->magic ^= 1;
       me.say_ready();
     }},
    {"lane_of_another_layout", Outcome::incompatible,
     [](Impostor& me) {
       ++me.own.header->layout_version;
       me.say_ready();
     }},
    {"lane_with_a_ring_beyond_its_end", Outcome::start_failed,
     [](Impostor& me) {
       me.own.header->ring_lines *= 2;
       me.say_ready();
     }},
    {"lane_with_a_ring_of_three_lines", Outcome::start_failed,
     [](Impostor& me) {
       me.own.header->ring_lines = 3;
       me.say_ready();
     }},
    {"lane_with_a_black_box_over_its_ring", Outcome::start_failed,
     [](Impostor& me) {
       me.own.header->black_box_bytes = ~std::uint64_t{63};
       me.say_ready();
     }},
    {"other_layout", Outcome::incompatible,
     [](Impostor& me) {
       wire::Identity other = Impostor::identity();
       ++other.layout_version;
       me.say(wire::Ready{other, 1});
     }},
    {"other_schemas", Outcome::incompatible,
     [](Impostor& me) {
       wire::Identity other = Impostor::identity();
       ++other.schema_hash;
       me.say(wire::Ready{other, 1});
     }},
    // Of another binary nobody expects the same build: this one is asked for named tasks alone.
    {"other_build", Outcome::value,
     [](Impostor& me) {
       wire::Identity other = Impostor::identity();
       other.build_id.back() ^= 1U;
       me.say(wire::Ready{other, static_cast<std::uint32_t>(::getpid())});
       me.serve(-1);
     }},
    {"socket_closed_for_ready", Outcome::start_failed, [](Impostor& me) { ::close(me.control), ::pause(); }},
    {"exit_for_ready", Outcome::start_failed, [](Impostor&) { ::_exit(0); }},

    // On the control socket, while it has a task.
    {"ready_twice", Outcome::violation, [](Impostor& me) { begin(me), me.say_ready(); }},
    {"goodbye", Outcome::violation, [](Impostor& me) { begin(me), me.say(wire::Goodbye{}); }},
    {"start_error_after_ready", Outcome::violation,
     [](Impostor& me) {
       begin(me), me.say(wire::StartError{"late", "too late", {}});
     }},
    {"noise_on_the_socket", Outcome::violation, [](Impostor& me) { begin(me), raw_control(me, 500, 3); }},
    {"message_of_100_kib", Outcome::violation,
     [](Impostor& me) { begin(me), raw_control(me, 100 * 1024, 4); }},
    {"socket_closed", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ::close(me.control);
       ::pause();
     }},
    {"chunk_without_descriptor", Outcome::violation,
     [](Impostor& me) {
       begin(me), me.say(wire::Chunk{1, 4096});
     }},
    {"chunk_with_two_descriptors", Outcome::violation,
     [](Impostor& me) {
       begin(me), me.say(wire::Chunk{1, 4096}, {me.lane.fd(), me.lane.fd()});
     }},
    {"chunk_without_seals", Outcome::violation,
     [](Impostor& me) {
       begin(me), me.say(wire::Chunk{1, 4096}, {memfd(4096)});
     }},
    {"chunk_shorter_than_it_says", Outcome::violation,
     [](Impostor& me) {
       begin(me), me.say(wire::Chunk{1, std::uint64_t{1} << 40}, {me.lane.fd()});
     }},
    {"chunk_0", Outcome::violation,
     [](Impostor& me) {
       begin(me), me.say(wire::Chunk{0, 4096}, {me.lane.fd()});
     }},
    {"chunk_twice", Outcome::violation,
     [](Impostor& me) { begin(me), send_chunk(me, 7), send_chunk(me, 7); }},
    {"retired_chunk_that_never_was", Outcome::violation,
     [](Impostor& me) { begin(me), me.say(wire::ChunkRetired{99}); }},
    {"chunks_without_end", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       for (std::uint32_t id = 1; id < 100'000; ++id) me.say(wire::Chunk{id, 4096}, {me.lane.fd()});
     }},

    // In the ring.
    {"length_of_7", Outcome::violation, [](Impostor& me) { begin(me), me.publish_word(7); }},
    {"length_of_8", Outcome::violation, [](Impostor& me) { begin(me), me.publish_word(8); }},
    {"length_of_39", Outcome::violation, [](Impostor& me) { begin(me), me.publish_word(39); }},
    {"length_of_2_gib", Outcome::violation, [](Impostor& me) { begin(me), me.publish_word(0x7fff'ffff); }},
    {"padding_to_nowhere", Outcome::violation,
     [](Impostor& me) { begin(me), me.publish_word(ring::kPaddingBit | 64); }},
    {"padding_of_a_whole_ring", Outcome::violation,
     [](Impostor& me) { begin(me), me.publish_word(ring::kPaddingBit | (me.own.ring_lines * 64)); }},
    {"kind_0", Outcome::violation, [](Impostor& me) { me.publish(Impostor::answer_to(begin(me), Kind{0})); }},
    {"kind_99", Outcome::violation,
     [](Impostor& me) { me.publish(Impostor::answer_to(begin(me), Kind{99})); }},
    {"task_for_the_parent", Outcome::violation,
     [](Impostor& me) { me.publish(Impostor::answer_to(begin(me), Kind::task)); }},
    {"answer_for_the_parent", Outcome::violation,
     [](Impostor& me) { me.publish(Impostor::answer_to(begin(me), Kind::answer)); }},
    {"answer_of_no_slot", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::value);
       header.slot = 0x7fff'ffff;
       me.publish(header);
     }},
    {"answer_of_a_slot_not_its_own", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::value);
       ++header.slot;
       me.publish(header);
     }},
    {"answer_of_another_generation", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::failure);
       --header.generation;
       me.publish(header);
     }},
    {"returned_unasked", Outcome::violation,
     [](Impostor& me) { me.publish(Impostor::answer_to(begin(me), Kind::returned)); }},
    {"returned_of_no_slot", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::returned);
       header.slot = 12345;
       me.publish(header);
     }},
    {"release_of_nothing", Outcome::violation,
     [](Impostor& me) { me.publish(Impostor::answer_to(begin(me), Kind::release)); }},
    {"release_of_what_was_not_lent", Outcome::violation,
     [](Impostor& me) {
       const std::uint64_t loan = 0x1234'5678;
       me.publish(Impostor::answer_to(begin(me), Kind::release), std::as_bytes(std::span{&loan, 1}));
     }},
    {"release_of_three_bytes", Outcome::violation,
     [](Impostor& me) {
       const char bytes[3] = {1, 2, 3};
       me.publish(Impostor::answer_to(begin(me), Kind::release), std::as_bytes(std::span{bytes}));
     }},
    {"release_of_8_kib", Outcome::violation,
     [](Impostor& me) {
       const std::vector<std::byte> many(8192, std::byte{1});
       me.publish(Impostor::answer_to(begin(me), Kind::release), many);
     }},
    {"block_of_a_chunk_never_sent", Outcome::violation,
     [](Impostor& me) {
       answer_with_references(me, {{1, 77, 0, 0, 10}}, 1);
     }},
    {"block_beyond_its_chunk", Outcome::violation,
     [](Impostor& me) {
       send_chunk(me, 5);
       answer_with_references(me, {{1, 5, 0, 64 * 1024 - 8, 16}}, 1);
     }},
    {"block_whose_end_overflows", Outcome::violation,
     [](Impostor& me) {
       send_chunk(me, 5);
       answer_with_references(me, {{1, 5, 0, ~std::uint64_t{0} - 3, 8}}, 1);
     }},
    {"block_handed_back_that_was_not_lent", Outcome::violation,
     [](Impostor& me) {
       answer_with_references(me, {{(std::uint64_t{1} << 32) + 3, 1, 1, 0, 8}}, 1);
     }},
    {"block_handed_back_with_more_than_it_has", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::value);
       wire::BlockReference back =
           me.references.empty() ? wire::BlockReference{1, 1, 0, 0, 1} : me.references.front();
       back.owner = 1;
       back.offset = 0;
       back.length = std::uint64_t{1} << 40;
       header.attachments = 1;
       me.publish(header, std::as_bytes(std::span{&back, 1}));
     }},
    {"three_references_announced_and_one_there", Outcome::violation,
     [](Impostor& me) {
       answer_with_references(me, {{1, 1, 0, 0, 1}}, 3);
     }},
    {"references_65535", Outcome::violation, [](Impostor& me) { answer_with_references(me, {}, 65535); }},
    {"payload_in_a_block_that_is_not_there", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::value);
       header.flags = wire::kPayloadInBlock;
       me.publish(header);
     }},
    {"failure_of_noise", Outcome::violation,
     [](Impostor& me) {
       me.publish(Impostor::answer_to(begin(me), Kind::failure),
                  std::vector<std::byte>(200, std::byte{0x5a}));
       me.serve(-1);
     }},
    {"failure_of_nothing", Outcome::violation,
     [](Impostor& me) {
       me.publish(Impostor::answer_to(begin(me), Kind::failure));
       me.serve(-1);
     }},
    {"value_of_no_encoding", Outcome::any_error,
     [](Impostor& me) {
       wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::value);
       header.encoding = 200;
       me.publish(header, std::vector<std::byte>(4, std::byte{1}));
       me.serve(-1);
     }},
    {"value_of_too_few_bytes", Outcome::any_error,
     [](Impostor& me) {
       me.publish(Impostor::answer_to(begin(me), Kind::value), std::vector<std::byte>(1, std::byte{1}));
       me.serve(-1);
     }},
    {"values_of_noise", Outcome::any_error,
     [](Impostor& me) {
       wire::FrameHeader header = Impostor::answer_to(begin(me), Kind::value);
       header.encoding = static_cast<std::uint8_t>(Encoding::values);
       me.publish(header, std::vector<std::byte>(100, std::byte{0xff}));
       me.serve(-1);
     }},

    // In the counters.
    {"consumed_beyond_what_was_written", Outcome::violation_in_time,
     [](Impostor& me) {
       me.say_ready();
       me.own.counters->task_ticks.store(1, base::relaxed);
       for (;;) {
         const wire::FrameHeader task = me.next_task();
         me.own.counters->consumed.store(me.in.position() + 100'000, base::relaxed);
         me.answer_honestly(task);
       }
     }},
    {"consumed_that_goes_back", Outcome::violation_in_time,
     [](Impostor& me) {
       me.say_ready();
       me.serve(3'000);
       for (;;) {
         const wire::FrameHeader task = me.next_task();
         me.own.counters->consumed.store(17, base::relaxed);
         me.answer_honestly(task);
       }
     }},
    // What only advises may hold anything.
    {"counters_of_noise", Outcome::value,
     [](Impostor& me) {
       const wire::FrameHeader task = begin(me);
       me.own.counters->claimed.store(~std::uint64_t{0}, base::relaxed);
       me.own.counters->begun.store(~std::uint64_t{0}, base::relaxed);
       me.own.counters->task_ticks.store(~std::uint64_t{0}, base::relaxed);
       me.own.counters->tasks_done.store(~std::uint64_t{0}, base::relaxed);
       me.own.counters->tasks_in_hand.store(~std::uint64_t{0}, base::relaxed);
       me.own.counters->parked.store(~std::uint64_t{0}, base::relaxed);
       me.answer_honestly(task);
       me.serve(-1);
     }},
    {"times_of_noise", Outcome::value,
     [](Impostor& me) {
       me.say_ready();
       std::mt19937_64 random{5};
       for (;;) {
         const wire::FrameHeader task = me.next_task();
         wire::FrameHeader answer = Impostor::answer_to(task, Kind::value);
         answer.function = random();
         answer.deadline_ns = random() % 3 == 0 ? 1 : random();
         int number = 0;
         std::memcpy(&number, me.payload.data(), sizeof number);
         number *= 2;
         me.publish(answer, std::as_bytes(std::span{&number, 1}));
       }
     }},
    {"black_box_of_noise", Outcome::crash,
     [](Impostor& me) {
       begin(me);
       std::memset(me.own.black_box, 0xee, static_cast<std::size_t>(me.own.black_box_bytes));
       ::signal(SIGSEGV, SIG_DFL);
       ::raise(SIGSEGV);
     }},
    {"noise_1", Outcome::any_error, [](Impostor& me) { noise(me, 11); }},
    {"noise_2", Outcome::any_error, [](Impostor& me) { noise(me, 12); }},
    {"noise_3", Outcome::any_error, [](Impostor& me) { noise(me, 13); }},
    {"noise_4", Outcome::any_error, [](Impostor& me) { noise(me, 14); }},
};

}  // namespace

std::span<const Lie> lies() {
  static const std::vector<Lie> all = [] {
    std::vector<Lie> some{std::begin(kLies), std::end(kLies)};
    for (const auto more : {channel_lies(), descriptor_lies(), shared_lies()})
      some.insert(some.end(), more.begin(), more.end());
    return some;
  }();
  return all;
}

}  // namespace weft::crash
