// Lies about descriptors, told while it has a task.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/limits.hpp"
#include "crash/hostile_worker.hpp"

namespace weft::crash {

namespace {

constexpr int kAny = 2;  // an open descriptor

wire::BlockReference named(std::uint64_t number) { return {number, 0, 2, 0, 0}; }

void answer(Impostor& me, std::vector<wire::BlockReference> references) {
  wire::FrameHeader header = Impostor::answer_to(me.next_task(), wire::Kind::value);
  header.attachments = static_cast<std::uint16_t>(references.size());
  me.publish(header, std::as_bytes(std::span{references}));
}

const Lie kLies[] = {
    {"descriptor_that_never_came", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       answer(me, {named(1)});
     }},
    {"descriptor_of_the_highest_number", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       me.say(wire::Descriptors{1, 1}, {kAny});
       answer(me, {named(UINT64_MAX)});
     }},
    {"descriptor_named_twice", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       me.say(wire::Descriptors{1, 1}, {kAny});
       answer(me, {named(1), named(1)});
     }},
    {"descriptors_named_backwards", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       me.say(wire::Descriptors{1, 2}, {kAny, kAny});
       answer(me, {named(2), named(1)});
     }},
    {"descriptors_that_do_not_follow", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       me.next_task();
       me.say(wire::Descriptors{7, 1}, {kAny});
     }},
    {"descriptors_fewer_than_told", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       me.next_task();
       me.say(wire::Descriptors{1, 2}, {kAny});
     }},
    {"descriptors_more_than_told", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       me.next_task();
       me.say(wire::Descriptors{1, 1}, {kAny, kAny});
     }},
    {"descriptors_none", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       me.next_task();
       me.say(wire::Descriptors{1, 0});
     }},
    {"descriptors_that_no_frame_names", Outcome::violation,
     [](Impostor& me) {
       me.say_ready();
       me.next_task();
       for (std::uint64_t i = 1; i <= 2 * base::kDescriptorsUnderWayMax + 1; ++i)
         me.say(wire::Descriptors{i, 1}, {kAny});
     }},
};

}  // namespace

std::span<const Lie> descriptor_lies() { return kLies; }

}  // namespace weft::crash
