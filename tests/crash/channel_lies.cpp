// Lies about channels and progress, told while it has a task.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>
#include <weft/channel.hpp>
#include <weft/codec.hpp>
#include <weft/detail/channel_port.hpp>

#include "base/limits.hpp"
#include "crash/hostile_worker.hpp"

namespace weft::crash {

namespace {

using wire::Kind;

wire::FrameHeader frame(const wire::FrameHeader& task, Kind kind, std::string_view key = {}) {
  wire::FrameHeader header = Impostor::answer_to(task, kind);
  header.function = detail::hash_text(key);
  return header;
}

/// Opens Channel<int, int>, as an honest task would, and gives the task's header.
wire::FrameHeader open(Impostor& me) {
  me.say_ready();
  const wire::FrameHeader task = me.next_task();
  wire::FrameHeader header = frame(task, Kind::open);
  header.deadline_ns = detail::signature_hash<int(int)>();
  me.publish(header);
  return task;
}

void send(Impostor& me, const wire::FrameHeader& task, int value) {
  wire::FrameHeader header = frame(task, Kind::channel);
  header.encoding = static_cast<std::uint8_t>(Encoding::bytes);
  me.publish(header, std::as_bytes(std::span{&value, 1}));
}

void credit(Impostor& me, std::uint64_t count) {
  me.publish(frame(open(me), Kind::credit), std::as_bytes(std::span{&count, 1}));
}

const Lie kLies[] = {
    {"channel_of_no_task", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       wire::FrameHeader header = frame(me.next_task(), Kind::open);
       header.slot += 7;
       me.publish(header);
     }},
    {"channel_of_another_generation", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = frame(open(me), Kind::channel);
       ++header.generation;
       me.publish(header);
     }},
    {"channel_never_opened", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       send(me, me.next_task(), 1);
     }},
    {"channel_opened_twice", Outcome::violation,
     [](Impostor& me) { me.publish(frame(open(me), Kind::open)); }},
    {"channels_without_end", Outcome::violation,
     [](Impostor& me) {
       const wire::FrameHeader task = open(me);
       for (std::uint64_t key = 1; key <= base::kChannelsPerCallMax; ++key) {
         wire::FrameHeader header = frame(task, Kind::open);
         header.function = key;
         me.publish(header);
       }
     }},
    {"values_beyond_the_credit", Outcome::violation,
     [](Impostor& me) {
       const wire::FrameHeader task = open(me);
       for (std::uint64_t i = 0; i <= base::kChannelCredit; ++i) send(me, task, static_cast<int>(i));
     }},
    {"credit_that_was_not_used", Outcome::violation, [](Impostor& me) { credit(me, 1); }},
    {"credit_without_end", Outcome::violation, [](Impostor& me) { credit(me, ~std::uint64_t{0}); }},
    {"credit_of_nothing", Outcome::violation, [](Impostor& me) { credit(me, 0); }},
    {"credit_of_three_bytes", Outcome::violation,
     [](Impostor& me) {
       const char bytes[3] = {1, 0, 0};
       me.publish(frame(open(me), Kind::credit), std::as_bytes(std::span{bytes}));
     }},
    {"value_in_a_block_that_is_not_there", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = frame(open(me), Kind::channel);
       header.flags = wire::kPayloadInBlock;
       me.publish(header);
     }},
    {"value_in_a_chunk_never_sent", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = frame(open(me), Kind::channel);
       const wire::BlockReference block{1, 77, 0, 0, 10};
       header.flags = wire::kPayloadInBlock;
       header.attachments = 1;
       me.publish(header, std::as_bytes(std::span{&block, 1}));
     }},
    {"value_of_65535_references", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = frame(open(me), Kind::channel);
       header.attachments = 65535;
       me.publish(header);
     }},
    {"progress_of_three_bytes", Outcome::violation,
     [](Impostor& me) {
       const char bytes[3] = {1, 2, 3};
       me.publish(frame(open(me), Kind::progress), std::as_bytes(std::span{bytes}));
     }},
    {"progress_of_no_task", Outcome::violation,
     [](Impostor& me) {
       wire::FrameHeader header = frame(open(me), Kind::progress);
       header.slot = 12345;
       me.publish(header, std::vector<std::byte>(16));
     }},
    // What only whoever receives it finds out.
    {"value_of_noise_on_a_channel", Outcome::value,
     [](Impostor& me) {
       const wire::FrameHeader task = open(me);
       wire::FrameHeader header = frame(task, Kind::channel);
       header.encoding = 200;
       me.publish(header, std::vector<std::byte>(7, std::byte{0xa5}));
       send(me, task, 1);
       me.answer_honestly(task);
       me.serve(-1);
     }},
    {"values_after_the_close", Outcome::value,
     [](Impostor& me) {
       const wire::FrameHeader task = open(me);
       me.publish(frame(task, Kind::close));
       for (int i = 0; i < 10; ++i) send(me, task, i);
       me.publish(frame(task, Kind::close));
       me.answer_honestly(task);
       me.serve(-1);
     }},
};

}  // namespace

std::span<const Lie> channel_lies() { return kLies; }

}  // namespace weft::crash
