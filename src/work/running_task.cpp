#include "work/running_task.hpp"

#include <cstring>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "process/module.hpp"
#include "wire/failure.hpp"
#include "work/exceptions.hpp"
#include "work/faults.hpp"
#include "work/named_tasks.hpp"

namespace weft::work {

std::stop_token WorkerScope::stop_token() {
  if (!token_.stop_possible()) token_ = loop_.stop_watch_.token(wire::call_id(header_), header_.deadline_ns);
  return token_;
}

WorkerStore& WorkerScope::store() noexcept { return *loop_.parts_.store; }

std::shared_ptr<detail::ChannelPort> WorkerScope::open_channel(const detail::ChannelName& name) {
  return loop_.channels().open(wire::call_id(header_), name);
}

void WorkerScope::tell_progress(const Progress& progress) {
  loop_.channels().tell(wire::call_id(header_), progress);
}

void RunningTask::begin() noexcept {
  if ((header_.flags & wire::kMeasured) != 0) began_ns_ = base::now_ns();
  if ((header_.flags & wire::kPayloadInBlock) != 0 && !attachments_.empty()) {
    payload_.bytes = attachments_.front().bytes();
    payload_.attachments = std::span<const Buffer>{attachments_}.subspan(1);
  }
}

void RunningTask::run() {
  const detail::TaskEntry* const entry =
      loop_.finder_.find(header_.function, (header_.flags & wire::kNamed) != 0);
  if (entry == nullptr) {
    wire::FailureReport unknown;
    unknown.kind = wire::FailureReport::Kind::unknown_task;
    unknown.message = describe_unknown_task((header_.flags & wire::kNamed) != 0);
    decoded();  // before the answer, which may have to wait for room: whoever reads the ring then must not find it again
    return send_report(unknown);
  }
  entry->invoke(*this);
}

void RunningTask::decoded() {
  if (released_) return;
  released_ = true;
  loop_.parts_.port.in.release();
}

void RunningTask::keep_payload() {
  if (!released_ && (header_.flags & wire::kPayloadInBlock) == 0 && !payload_.bytes.empty()) {
    kept_ = std::make_unique_for_overwrite<std::byte[]>(payload_.bytes.size());
    std::memcpy(kept_.get(), payload_.bytes.data(), payload_.bytes.size());
    payload_.bytes = {kept_.get(), payload_.bytes.size()};
  }
  decoded();
}

void RunningTask::value(const detail::Payload& payload) { reply(wire::Kind::value, payload); }

void RunningTask::send_failure(const std::exception_ptr& exception, std::vector<std::uint64_t> thrown) {
  // A value that went out before (an exception of a destructor after it) stands.
  if (replied_) return;
  wire::FailureReport report = describe(exception);
  report.program_counters = std::move(thrown);
  send_report(report);
}

void RunningTask::send_report(const wire::FailureReport& failure) {
  const std::vector<std::byte> report = wire::encode(failure);
  try {
    reply(wire::Kind::failure, {Encoding::nothing, report, {}});
  } catch (const Error&) {
    // No block for a long report: a short one needs none.
    const std::vector<std::byte> brief = wire::encode(failure, base::kInlineBytesMax);
    reply(wire::Kind::failure, {Encoding::nothing, brief, {}});
  }
}

wire::FrameHeader RunningTask::answer(wire::Kind kind, Encoding encoding) const noexcept {
  wire::FrameHeader header;
  header.slot = header_.slot;
  header.generation = header_.generation;
  header.kind = kind;
  header.encoding = static_cast<std::uint8_t>(encoding);
  if ((header_.flags & wire::kMeasured) != 0) [[unlikely]]
    header.function = began_ns_, header.deadline_ns = base::now_ns() - began_ns_;
  return header;
}

void RunningTask::reply(wire::Kind kind, const detail::Payload& payload) {
  if (loop_.ends_matter_) [[unlikely]]
    loop_.before_reply(header_);
  if (payload.bytes.size() > base::kInlineBytesMax || !payload.attachments.empty()) [[unlikely]] {
    reply_with_blocks(kind, payload);
  } else {
    loop_.send(answer(kind, payload.encoding), {}, payload.bytes);
  }
  replied_ = true;
}

void RunningTask::reply_with_blocks(wire::Kind kind, const detail::Payload& payload) {
  wire::FrameHeader header = answer(kind, payload.encoding);
  std::vector<wire::BlockReference> references;
  std::vector<Buffer> with_block;
  std::span<const Buffer> buffers = payload.attachments;
  std::span<const std::byte> bytes = payload.bytes;
  if (bytes.size() > base::kInlineBytesMax) {
    with_block.push_back(Buffer::copy_of(bytes));
    with_block.insert(with_block.end(), buffers.begin(), buffers.end());
    buffers = with_block;
    header.flags |= wire::kPayloadInBlock;
    bytes = {};
  }
  loop_.lend(buffers, bytes.size(), references);
  header.attachments = static_cast<std::uint16_t>(references.size());
  loop_.send(header, references, bytes);
}

}  // namespace weft::work
