#include "crash/shared_lies.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

#include "wire/shared_name.hpp"

namespace weft::crash {

namespace {

using wire::Operation;

/// The first task, which stays unanswered.
wire::FrameHeader begin(Impostor& me) {
  me.say_ready();
  return me.next_task();
}

/// Asks on behalf of a worker of its own.
constexpr std::uint32_t kForAnother = 1U << 31;

void ask_by_name(Impostor& me, std::uint64_t name, std::uint32_t ticket, Operation operation,
                 std::uint32_t count = 1, std::size_t more = 0, std::uint16_t flags = 0,
                 std::uint32_t for_whom = 0) {
  wire::FrameHeader header;
  header.slot = ticket;
  header.generation = for_whom;
  header.function = name;
  header.kind = wire::Kind::ask;
  header.flags = flags;
  const wire::AskHead head{operation, count};
  std::vector<std::byte> body(sizeof head + more, std::byte{0xa5});
  std::memcpy(body.data(), &head, sizeof head);
  me.publish(header, body);
}

/// Of the `serial`-th object of the test.
std::uint64_t name_of(std::uint64_t serial) {
  return wire::object_name(std::strtoull(std::getenv("WEFT_LIE_HOME"), nullptr, 10), wire::scattered(serial));
}
void ask(Impostor& me, std::uint64_t serial, std::uint32_t ticket, Operation operation,
         std::uint32_t count = 1, std::size_t more = 0, std::uint16_t flags = 0) {
  ask_by_name(me, name_of(serial), ticket, operation, count, more, flags);
}

const Lie kLies[] = {
    {"ask_of_an_object_that_there_never_was", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, 1'000'000, 1, Operation::take);
     }},
    {"ask_of_object_0", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, 0, 1, Operation::load);
     }},
    {"ask_of_an_object_whose_home_is_nowhere_above", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask_by_name(me, wire::object_name(1, wire::scattered(kMutex)), 1, Operation::take);
     }},
    {"ask_of_an_object_without_a_home", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask_by_name(me, wire::scattered(kMutex), 1, Operation::take);
     }},
    {"ask_without_a_ticket", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kMutex, 0, Operation::take);
     }},
    {"lock_given_back_with_a_ticket", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kMutex, 1, Operation::take);
       ask(me, kMutex, 2, Operation::give);
     }},
    {"lock_abandoned_that_it_did_not_have", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kMutex, 0, Operation::abandon);
     }},
    {"said_that_it_asks_before_it_is_ready", Outcome::start_failed,
     [](Impostor& me) { me.say(wire::Asking{}); }},
    {"ask_for_nothing", Outcome::violation,
     [](Impostor& me) { me.publish(Impostor::answer_to(begin(me), wire::Kind::ask)); }},
    {"ask_for_operation_99", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kMutex, 1, static_cast<Operation>(99));
     }},
    {"ask_with_a_key_of_2_kib", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kMutex, 1, Operation::take, 1, 2048);
     }},
    {"ask_in_a_block_that_is_not_there", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kParcel, 1, Operation::store, 1, 4, wire::kPayloadInBlock);
     }},
    {"lock_given_back_that_it_did_not_have", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kMutex, 0, Operation::give);
     }},
    {"lock_given_back_twice_over", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kMutex, 1, Operation::take);
       ask(me, kMutex, 0, Operation::give, 2);
     }},
    {"parcel_stored_that_it_did_not_have", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kParcel, 1, Operation::store, 1, 4);
     }},
    {"mutex_asked_for_its_value", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kMutex, 1, Operation::load);
     }},
    {"barrier_asked_for_permits", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kBarrier, 1, Operation::take);
     }},
    {"barrier_left_by_more_than_it_is_for", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       ask(me, kBarrier, 0, Operation::drop);
       ask(me, kBarrier, 0, Operation::drop);
     }},
    {"ticket_used_twice", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       for (const std::uint32_t ticket : {1U, 2U, 2U}) ask(me, kMutex, ticket, Operation::take);
     }},
    {"asks_without_end", Outcome::violation,
     [](Impostor& me) {
       begin(me);
       for (std::uint32_t ticket = 1; ticket < 1'000'000; ++ticket) ask(me, kMutex, ticket, Operation::take);
     }},
    {"answer_from_a_worker", Outcome::violation,
     [](Impostor& me) { me.publish(Impostor::answer_to(begin(me), wire::Kind::answer)); }},
    // What harms nobody else, or only whoever trusts it with a value.
    {"withdrawal_of_what_it_did_not_ask", Outcome::value,
     [](Impostor& me) {
       const wire::FrameHeader task = begin(me);
       ask(me, kMutex, 5, Operation::withdraw);
       me.answer_honestly(task);
       me.serve(-1);
     }},
    {"said_twice_that_it_asks", Outcome::value,
     [](Impostor& me) {
       const wire::FrameHeader task = begin(me);
       me.say(wire::Asking{});
       me.say(wire::Asking{});
       me.answer_honestly(task);
       me.serve(-1);
     }},
    {"wrong_asks_for_another", Outcome::value,  // are answered
     [](Impostor& me) {
       const wire::FrameHeader task = begin(me);
       std::uint32_t ticket = 0;
       const auto ask_for_another = [&](std::uint64_t name, Operation operation, std::size_t more = 0) {
         ask_by_name(me, name, ++ticket, operation, 1, more, 0, kForAnother);
       };
       ask_for_another(name_of(0), Operation::take);
       ask_for_another(name_of(1'000'000), Operation::take);
       ask_for_another(wire::object_name(1, 1), Operation::take);
       ask_for_another(name_of(kBarrier), Operation::take);
       ask_for_another(name_of(kParcel), Operation::store, 4);
       me.answer_honestly(task);
       me.serve(-1);
     }},
    {"parcel_of_noise", Outcome::value,
     [](Impostor& me) {
       const wire::FrameHeader task = begin(me);
       ask(me, kParcel, 1, Operation::take);
       ask(me, kParcel, 2, Operation::store, 1, 100);
       me.answer_honestly(task);
       me.serve(-1);
     }},
};

}  // namespace

std::span<const Lie> shared_lies() { return kLies; }

}  // namespace weft::crash
