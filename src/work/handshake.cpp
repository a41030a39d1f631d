#include "work/handshake.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <utility>
#include <variant>

#include "base/clock.hpp"
#include "process/descriptors.hpp"
#include "process/parent_death.hpp"
#include "wire/failure.hpp"
#include "work/exceptions.hpp"
#include "work/identity.hpp"
#include "work/initializer.hpp"
#include "work/named_tasks.hpp"

namespace weft::work {

namespace {

/// A Hello is some hundred bytes. No more than that: pages of a stack that is new cost some microseconds each.
constexpr std::size_t kHelloBytesMax = 2 * 1024;

}  // namespace

void Handshake::end() {
  if (is_thread_) throw Ended{};
  std::fflush(nullptr);
  ::_exit(kStartFailed);
}

void Handshake::fail(const char* phase, const std::string& message, std::vector<std::byte> failure) {
  const wire::StartError error{phase, message, std::move(failure)};
  static_cast<void>(process::send(control_.get(), wire::encode(error), {}, process::Wait::yes));
  end();
}

wire::Hello Handshake::hello(std::vector<base::UniqueFd>& descriptors, std::size_t count) {
  std::array<std::byte, kHelloBytesMax> room;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  auto received = process::receive(control_.get(), room, 8, process::Wait::yes);
  if (!received || received->state != process::Received::State::message) end();
  auto message = wire::decode_control(std::span{room}.first(received->bytes));
  if (!message) fail("handshake", message.fault().message);
  auto* const hello = std::get_if<wire::Hello>(&*message);
  if (hello == nullptr) fail("handshake", "the first message was not a Hello");
  if (!is_thread_) process::die_with_parent(static_cast<pid_t>(hello->parent_pid));
  auto compatible = wire::check_compatible(own_identity(), hello->identity, false);
  if (!compatible) fail("handshake", compatible.fault().message);
  if (!is_thread_) base::set_ticks_per_us(hello->ticks_per_us);
  descriptors = std::move(received->descriptors);
  if (descriptors.size() != count) {
    fail("handshake", "expected " + std::to_string(count) + " descriptors with the Hello");
  }
  return std::move(*hello);
}

void run_initializer(Handshake& handshake, const wire::Hello& hello) {
  if (!hello.initializer) return;
  const auto* const entry = find_task(hello.initializer->function, false);
  if (entry == nullptr) handshake.fail("initializer", describe_unknown_task(false));
  try {
    InitializerCall call{hello.worker_id, worker_store()};
    entry->invoke(call);
  } catch (...) {
    handshake.fail("initializer", "the initializer threw", wire::encode(describe(std::current_exception())));
  }
}

}  // namespace weft::work
