#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <vector>
#include <weft/buffer.hpp>
#include <weft/task.hpp>

#include "sync/inherited_deadline.hpp"
#include "wire/failure.hpp"
#include "wire/frame.hpp"
#include "work/worker_loop.hpp"

namespace weft::work {

class WorkerScope final : public TaskScope {
 public:
  WorkerScope(WorkerLoop& loop, const wire::FrameHeader& header) noexcept
      : TaskScope{loop.parts_.worker_id, header.deadline_ns}, loop_{loop}, header_{header} {
    if (header.deadline_ns != 0) [[unlikely]]
      sync::InheritedDeadline::begin(header.deadline_ns);
  }
  ~WorkerScope() {
    if (header_.deadline_ns != 0) [[unlikely]]
      sync::InheritedDeadline::end();
    if (token_.stop_possible()) [[unlikely]]
      loop_.stop_watch_.done(wire::call_id(header_));
  }
  [[nodiscard]] std::stop_token stop_token() override;
  [[nodiscard]] WorkerStore& store() noexcept override;

 private:
  std::shared_ptr<detail::ChannelPort> open_channel(const detail::ChannelName& name) override;
  void tell_progress(const Progress& progress) override;
  WorkerLoop& loop_;
  const wire::FrameHeader& header_;
  std::stop_token token_;
};

/// One task in its worker: the frame it came in, and the way back for its value.
/// Owner: the stack of the fiber that runs it. Threads: that fiber's.
class RunningTask final : public detail::TaskCall {
 public:
  /// `attachments` and `payload` as they came; the payload may still lie in the ring.
  RunningTask(WorkerLoop& loop, const wire::FrameHeader& header, std::vector<Buffer>& attachments,
              std::span<const std::byte> payload) noexcept
      : TaskCall{static_cast<Encoding>(header.encoding), payload, attachments, worker_scope_},
        loop_{loop},
        header_{header},
        worker_scope_{loop, header},
        attachments_{attachments} {
    if ((header.flags & (wire::kPayloadInBlock | wire::kMeasured)) != 0) [[unlikely]]
      begin();
  }

  void run();
  void decoded() override;
  void keep_payload() override;
  void value(const detail::Payload& payload) override;
  /// `thrown`: where, as code ids.
  void send_failure(const std::exception_ptr& exception, std::vector<std::uint64_t> thrown);

 private:
  /// What is to be done before the task where its frame's flags ask for more.
  void begin() noexcept;
  void send_report(const wire::FailureReport& failure);
  void reply(wire::Kind kind, const detail::Payload& payload);
  void reply_with_blocks(wire::Kind kind, const detail::Payload& payload);
  [[gnu::always_inline]] [[nodiscard]] inline wire::FrameHeader answer(wire::Kind kind,
                                                                       Encoding encoding) const noexcept;

  WorkerLoop& loop_;
  const wire::FrameHeader& header_;  // its caller's; not copied, see detail::Request
  WorkerScope worker_scope_;
  std::vector<Buffer>& attachments_;
  std::uint64_t began_ns_;  // of a measured task alone
  std::unique_ptr<std::byte[]> kept_;
  bool released_ = false;
  bool replied_ = false;
};

}  // namespace weft::work
