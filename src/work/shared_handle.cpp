#include <unistd.h>

#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <weft/detail/shared_handle.hpp>
#include <weft/error.hpp>
#include <weft/semaphore.hpp>
#include <weft/sleep.hpp>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "link/buffer_box.hpp"
#include "link/exchange.hpp"
#include "wire/shared_name.hpp"
#include "work/asker.hpp"
#include "work/shared_objects.hpp"
#include "work/worker_main.hpp"

namespace weft::detail {

using wire::Operation;
using wire::Verdict;
using work::Asked;
using work::SharedHome;
using work::Told;

namespace {

std::uint64_t this_process() noexcept { return static_cast<std::uint64_t>(::getpid()); }

/// The buffer itself, if it is this process's own; else a copy: whoever lent it could still change it.
Buffer own(const Buffer& buffer) {
  const BufferBox* const box = BufferBox::of(buffer);
  return box != nullptr && box->lender ? Buffer::copy_of(buffer.bytes()) : buffer;
}

/// True: it came. False: not in time. Throws for all else.
bool came(const Told& told) {
  switch (told.verdict) {
    case Verdict::came:
      return true;
    case Verdict::timed_out:
      return false;
    case Verdict::closed:
    case Verdict::refused:  // never told to who asks for itself
      break;
    case Verdict::exhausted:
      throw Exhausted{
          "the process that a shared object lives in has no memory for this, or was asked for too much"};
    case Verdict::impossible:
      throw ArgumentError{"a shared object gives 1 permit at least, and as many as it has at most"};
  }
  throw Closed{"the shared object is gone: its last handle in the process that made it has ended"};
}

}  // namespace

std::shared_ptr<const SharedValue> SharedValue::copy_of(const Payload& payload) {
  auto value = std::make_shared<SharedValue>();
  value->encoding = payload.encoding;
  value->in_block = payload.bytes.size() > base::kInlineBytesMax;
  if (payload.attachments.size() + (value->in_block ? 1 : 0) > link::kReferencesMax) {
    throw EncodingError{"the value of a parcel holds " + std::to_string(payload.attachments.size()) +
                        " buffers; at most " + std::to_string(link::kReferencesMax - 1) +
                        " travel at once: put them into one buffer"};
  }
  if (value->in_block) {
    value->attachments.push_back(Buffer::copy_of(payload.bytes));
  } else {
    value->bytes.assign(payload.bytes.begin(), payload.bytes.end());
  }
  for (const Buffer& each : payload.attachments) value->attachments.push_back(own(each));
  return value;
}

Payload SharedValue::payload() const noexcept {
  if (!in_block) return {encoding, bytes, attachments};
  return {encoding, attachments.front().bytes(), std::span<const Buffer>{attachments}.subspan(1)};
}

SharedHandle::SharedHandle(std::shared_ptr<work::HomeObject> object) noexcept : object_{std::move(object)} {}

SharedHandle SharedHandle::of_permits(std::size_t permits) {
  if (permits > std::numeric_limits<std::uint32_t>::max())
    throw ArgumentError{"a shared semaphore has at most 2^32 - 1 permits"};
  return SharedHandle{SharedHome::get().make<work::SharedPermits>(at_least_one(permits))};
}

SharedHandle SharedHandle::of_barrier(std::size_t expected) {
  if (expected == 0) throw ArgumentError{"a barrier is for at least 1"};
  return SharedHandle{SharedHome::get().make<work::SharedBarrier>(expected)};
}

SharedHandle SharedHandle::of_rate(std::size_t permits, std::chrono::nanoseconds interval) {
  return SharedHandle{SharedHome::get().make<work::SharedRate>(permits, interval)};
}

SharedHandle SharedHandle::of_value(const Payload& payload) {
  return SharedHandle{
      SharedHome::get().make<work::SharedPermits>(std::size_t{1}, SharedValue::copy_of(payload))};
}

Told SharedHandle::ask(const Asked& asked) const {
  if (object_) return SharedHome::get().ask(*object_, asked);
  if (wire::home_of(name_) == this_process()) return {Verdict::closed, false, 0, nullptr};
  if (work::Asker* const asker = work::Asker::current()) return asker->ask(name_, asked);
  throw Error{
      "a shared object of another process can be used on the main thread of a worker alone, where tasks run, "
      "and once its initializer is done",
      {}};
}

void SharedHandle::tell(const Asked& asked) const noexcept {
  if (object_) {
    static_cast<void>(SharedHome::get().ask(*object_, asked));
  } else if (wire::home_of(name_) != this_process()) {
    work::Asker* const asker = work::Asker::current();
    WEFT_CHECK(asker != nullptr,
               "a shared object was given back on another thread than the main one of its worker");
    asker->tell(name_, asked);
  }
}

SharedGrant SharedHandle::take(std::string_view key, std::size_t count, std::uint64_t deadline_ns) const {
  if (key.size() > base::kKeyBytesMax) {
    throw ArgumentError{"a key of a shared object has at most " + std::to_string(base::kKeyBytesMax) +
                        " bytes"};
  }
  if (count > std::numeric_limits<std::uint32_t>::max()) count = 0;  // as impossible
  Told told = ask({Operation::take, count, deadline_ns, key, nullptr});
  return {came(told), told.abandoned, std::move(told.value)};
}

bool SharedHandle::arrive(std::uint64_t deadline_ns) const {
  return came(ask({Operation::arrive, 1, deadline_ns, {}, nullptr}));
}

bool SharedHandle::pace(std::size_t count, std::uint64_t deadline_ns) const {
  if (count > std::numeric_limits<std::uint32_t>::max()) count = 0;
  const Told told = ask({Operation::pace, count, deadline_ns, {}, nullptr});
  if (!came(told)) return false;
  // The clock is the machine's: its turn comes here when it comes there.
  return detail::sleep_until(told.turn_ns) == Waited::exhausted ? detail::came(Waited::exhausted) : true;
}

std::shared_ptr<const SharedValue> SharedHandle::load() const {
  Told told = ask({Operation::load, 0, kNever, {}, nullptr});
  static_cast<void>(came(told));
  return std::move(told.value);
}

void SharedHandle::store(const Payload& payload) const {
  static_cast<void>(came(ask({Operation::store, 1, kNever, {}, SharedValue::copy_of(payload)})));
}

void SharedHandle::give(std::string_view key, std::size_t count) const noexcept {
  tell({Operation::give, count, 0, key, nullptr});
}

void SharedHandle::drop() const noexcept { tell({Operation::drop, 1, 0, {}, nullptr}); }

void SharedHandle::encode(Encoder& encoder) const {
  // Of this process by what it is now: a copy of a zygote has the objects that the initializer has made there.
  const std::array<std::uint64_t, 2> name{
      object_ ? wire::object_name(this_process(), object_->id) : name_,
      object_ ? work::process_depth() : depth_,
  };
  encoder.blob(std::as_bytes(std::span{name}));
}

SharedHandle SharedHandle::decode(const Value& value) {
  std::array<std::uint64_t, 2> words{};
  const std::span<const std::byte> bytes = value.blob();
  if (bytes.size() != sizeof words) throw EncodingError{"weft: the handle of a shared object is not one"};
  std::memcpy(words.data(), bytes.data(), sizeof words);
  const auto [name, depth] = words;
  if (wire::home_of(name) == this_process())
    return SharedHandle{name, depth, SharedHome::get().find(wire::number_of(name))};
  // What lives further up came from there, or has been there: only below its home is a handle let in. So a home that is
  // as deep as this process, or deeper, is none that could be asked.
  if (depth < work::process_depth()) return SharedHandle{name, depth, nullptr};
  throw EncodingError{
      "weft: a shared object serves the process that made it and the workers below that: it cannot be handed "
      "up, from a worker that made it to the process that started the worker"};
}

}  // namespace weft::detail
