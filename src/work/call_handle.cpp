#include <array>
#include <string>
#include <vector>
#include <weft/detail/call_handle.hpp>
#include <weft/detail/call_watch.hpp>
#include <weft/detail/stop_token_watch.hpp>
#include <weft/error.hpp>
#include <weft/execution.hpp>
#include <weft/task_scope.hpp>

#include "process/crash_record.hpp"
#include "process/forked.hpp"
#include "process/module.hpp"
#include "process/symbolize.hpp"
#include "wire/failure.hpp"
#include "work/call.hpp"
#include "work/exceptions.hpp"
#include "work/hearing.hpp"
#include "work/initialized.hpp"
#include "work/obituary.hpp"
#include "work/pool_core.hpp"

namespace weft {

namespace detail {

namespace {

std::span<const Buffer> attachments_of(const work::Call& call) {
  return call.has_extra ? std::span<const Buffer>{call.extra()->attachments} : std::span<const Buffer>{};
}

/// The payload as it came, out of its block if it lies in one.
Payload payload_of(const work::Call& call) {
  Payload payload{call.encoding, {call.payload(), call.bytes}, attachments_of(call)};
  if ((call.flags & wire::kPayloadInBlock) != 0) {
    payload.bytes = payload.attachments.front().bytes();
    payload.attachments = payload.attachments.subspan(1);
  }
  return payload;
}

std::string output_of(const work::Call& call) {
  return call.has_extra ? call.extra()->output : std::string{};
}

/// The task stopped because it was asked to: says by whom. Returns if nobody had.
void throw_stopped(const work::Call& call) {
  if (!call.has_extra) return;
  const work::Terms& terms = call.extra()->terms;
  const Verdict verdict{.may_have_run = true, .retry_is_safe = false, .worker_survived = true};
  if (terms.late) throw TimedOut{"the task stopped, since " + call.extra()->reason, verdict, *terms.late};
  if (call.stop_asked) throw Cancelled{call.extra()->reason, true};
}

[[noreturn]] void throw_failure(const work::Call& call) {
  const Payload payload = payload_of(call);
  if (payload.bytes.size() > wire::kFailureBytesMax) {
    throw ProtocolViolation{"a worker told of a failure at greater length than any may have"};
  }
  // A private copy: a block can still be written by the worker.
  const std::vector<std::byte> copy{payload.bytes.begin(), payload.bytes.end()};
  auto report = wire::decode_failure(copy);
  if (!report)
    throw ProtocolViolation{"a worker told of a failure in a way that does not hold: " +
                            report.fault().message};
  if (!report->chain.empty() && report->chain.front().type == "weft::Cancelled") throw_stopped(call);
  if (report->kind == wire::FailureReport::Kind::unknown_task) {
    report->message = "task " + work::describe_call(call) + ", which " + process::main_module().path +
                      " asked for, is unknown: " + report->message;
  }
  work::rethrow(*report, output_of(call));
}

}  // namespace

bool CallHandle::wait(std::uint64_t deadline_ns) {
  if (call_->settled()) return true;
  work::require_unforked();
  return core_->wait(*call_, deadline_ns);
}

bool CallHandle::wait(const std::stop_token& stop) {
  if (!stop.stop_possible()) return wait(kNever);
  CallWatch call{*this};
  StopTokenWatch stopped{stop};
  const std::array<Watchable* const, 2> both{&call, &stopped};
  const Selected selected = wait_for_any(both, kNever);
  return came(selected.waited) && selected.index == 0;
}

bool CallHandle::take(ShortValue& into) {
  if (call_->settled()) return false;
  work::require_unforked();
  if (!core_->take(*call_, into)) return false;
  call_ = nullptr;
  return true;
}

bool CallHandle::ready() const {
  if (call_->settled()) return true;
  work::require_unforked();
  return core_->ready(*call_);
}

Payload CallHandle::value(Asks who) const {
  const work::Call& call = *call_;
  const bool is_plain = call.ending == work::Ending::value && call.bytes <= work::kShortBytes &&
                        !call.has_extra && (call.flags & wire::kPayloadInBlock) == 0;
  return is_plain ? Payload{call.encoding, {call.rest().inline_bytes, call.bytes}, {}} : any_value(who);
}

Payload CallHandle::any_value(Asks who) const {
  if (call_->ending != work::Ending::value && who == Asks::listening) [[unlikely]]
    heard();
  switch (call_->ending) {
    case work::Ending::value:
      break;
    case work::Ending::failure:
      throw_failure(*call_);
    case work::Ending::exception:
      std::rethrow_exception(call_->extra()->exception);
  }
  Payload payload = payload_of(*call_);
  if ((call_->flags & wire::kPayloadInBlock) != 0 && payload.encoding == Encoding::values) {
    // Values are verified as a whole and then read, so they must not change in between: a private copy, once.
    work::CallExtra& extra = *call_->extra();
    if (!extra.bytes || extra.copied != payload.bytes.data()) {
      extra.bytes = std::make_unique_for_overwrite<std::byte[]>(payload.bytes.size());
      extra.capacity = payload.bytes.size();
      std::memcpy(extra.bytes.get(), payload.bytes.data(), payload.bytes.size());
      extra.copied = payload.bytes.data();
    }
    payload.bytes = {extra.bytes.get(), payload.bytes.size()};
  }
  return payload;
}

void CallHandle::heard() const { core_->hearing_of(*call_)->heard(); }

void CallHandle::unheard(std::exception_ptr failure) const {
  core_->hearing_of(*call_)->unheard(std::move(failure));
}

std::string CallHandle::output() const { return call_->settled() ? output_of(*call_) : std::string{}; }

std::optional<TaskTimes> CallHandle::times() const {
  if (!call_->settled() || !call_->has_extra || call_->extra()->terms.submitted_ns == 0) return std::nullopt;
  return call_->extra()->measured.times(call_->extra()->terms);
}

bool CallHandle::cancel(const std::string& reason) {
  work::require_unforked();
  return core_->cancel(*call_, reason);
}

void CallHandle::on_settled(std::function<void()> continuation) {
  work::require_unforked();
  if (!core_->on_settled(*call_, nullptr, continuation)) continuation();
}

bool CallHandle::when_settled(const void* owner, std::function<void()> continuation) {
  work::require_unforked();
  return core_->on_settled(*call_, owner, continuation);
}

bool CallHandle::forget(const void* owner) noexcept {
  return !process::in_forked_child() && core_->forget(*call_, owner);
}

std::shared_ptr<ChannelPort> CallHandle::channel(const ChannelName& name) const {
  work::require_unforked();
  return core_->open_channel(*call_, name);
}

Progress CallHandle::progress() const {
  work::require_unforked();
  return core_->progress(*call_);
}

void CallHandle::on_progress(std::function<void(const Progress&)> callback) const {
  work::require_unforked();
  core_->on_progress(*call_, std::move(callback));
}

bool CallWatch::watch(const fiber::Waker& waker) {
  work::require_unforked();
  return handle_.core_->watch(*handle_.call_, waker);
}

void CallWatch::unwatch(const fiber::Waker&) noexcept { handle_.core_->unwatch(*handle_.call_); }

void CallHandle::drop() noexcept {
  if (process::in_forked_child()) return;  // the call is the parent's
  core_->release(*call_);
}

}  // namespace detail

void TaskScope::throw_if_stop_requested() {
  if (stop_token().stop_requested()) throw Cancelled{"a stop was requested", true};
}

std::optional<std::chrono::steady_clock::time_point> TaskScope::deadline() const noexcept {
  if (deadline_ns_ == 0) return std::nullopt;
  return Deadline{std::chrono::nanoseconds{static_cast<std::int64_t>(deadline_ns_)}};
}

}  // namespace weft
