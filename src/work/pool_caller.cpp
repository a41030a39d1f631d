// WorkerKind::caller: no workers. A task runs on the thread that submits it, as soon as that has left the pool's lock; its
// arguments and its value are encoded and decoded as if they travelled.

#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "sync/inherited_deadline.hpp"
#include "wire/failure.hpp"
#include "work/exceptions.hpp"
#include "work/initializer.hpp"
#include "work/named_tasks.hpp"
#include "work/pool_core.hpp"
#include "work/talk.hpp"
#include "work/throw_trace.hpp"

namespace weft::work {

namespace {

constexpr std::uint64_t kWorkerId = 1;

class CallerScope final : public TaskScope {
 public:
  CallerScope(std::uint64_t deadline_ns, std::stop_token token, ProgressNews& news, WorkerStore& store)
      : TaskScope{kWorkerId, deadline_ns},
        token_{std::move(token)},
        news_{news},
        store_{store},
        has_deadline_{deadline_ns != 0} {
    if (has_deadline_) sync::InheritedDeadline::begin(deadline_ns);
  }
  ~CallerScope() {
    if (has_deadline_) sync::InheritedDeadline::end();
  }
  [[nodiscard]] std::stop_token stop_token() override { return token_; }
  [[nodiscard]] WorkerStore& store() noexcept override { return store_; }

 private:
  std::shared_ptr<detail::ChannelPort> open_channel(const detail::ChannelName&) override {
    throw ArgumentError{
        "a task of WorkerKind::caller has no channel: its submitter waits in submit() until it is done"};
  }
  void tell_progress(const Progress& progress) override { news_.note(progress); }

  std::stop_token token_;
  ProgressNews& news_;
  WorkerStore& store_;
  bool has_deadline_;
};

/// Owner: run_here(). Its payload lies in the call, which stays as it is while the task runs.
class CalledTask final : public detail::TaskCall {
 public:
  CalledTask(Encoding encoded_as, std::span<const std::byte> from, std::span<const Buffer> blocks,
             TaskScope& scope) noexcept
      : TaskCall{encoded_as, from, blocks, scope} {}
  void decoded() override {}
  void keep_payload() override {}
  void value(const detail::Payload& payload) override {
    bytes.assign(payload.bytes.begin(), payload.bytes.end());
    attachments.assign(payload.attachments.begin(), payload.attachments.end());
    encoding = payload.encoding;
    ending = Ending::value;
  }
  void fail(const wire::FailureReport& report) {
    // A value that was given before (an exception of a destructor after it) stands.
    if (ending == Ending::value) return;
    bytes = wire::encode(report);
    ending = Ending::failure;
  }

  std::vector<std::byte> bytes;
  std::vector<Buffer> attachments;
  Encoding encoding = Encoding::nothing;
  std::optional<Ending> ending;
};

void run(CalledTask& task, std::uint64_t function, bool is_named) {
  thread_local TaskFinder finder;
  const detail::TaskEntry* const entry = finder.find(function, is_named);
  if (entry == nullptr) {
    wire::FailureReport unknown;
    unknown.kind = wire::FailureReport::Kind::unknown_task;
    unknown.message = describe_unknown_task(is_named);
    return task.fail(unknown);
  }
  try {
    entry->invoke(task);
  } catch (const ThrowProbe&) {  // notes where it was thrown, and leaves it to the next
  } catch (...) {
    const std::exception_ptr failed = std::current_exception();
    wire::FailureReport report = describe(failed);
    report.program_counters = thrown_at(failed);
    task.fail(report);
  }
}

}  // namespace

/// Under the lock; it runs once this thread has left that.
void PoolCore::run_soon(Call& call) {
  call.phase = Phase::running;
  call.more().stop = std::stop_source{};
  ++running_here_;
  if (call.timed) {
    call.extra()->terms.began_ns = base::now_ns();
    next_timer(call);
    if (call.extra()->terms.submitted_ns != 0) {
      Measured& measured = call.extra()->measured;
      measured.worker = kWorkerId;
      measured.pid = ::getpid();
      measured.handed_ns = call.extra()->terms.began_ns;
      observe(Observation::What::task_begun, call);
    }
  }
  after_.emplace_back([this, &call] { run_here(call); });
  leave_slowly_ = true;
}

void PoolCore::run_here(Call& call) {
  const std::string why = prepare_here();
  if (!why.empty()) {
    const Section section{*this};
    --running_here_;
    return settle_with(call, std::make_exception_ptr(StartFailed{"a worker of the " + options_.what +
                                                                 " could not start: " + why}));
  }
  // Nobody else writes what is read here: others may but add a reason to stop.
  const CallExtra& extra = *call.extra();
  std::span<const Buffer> attachments = extra.attachments;
  std::span<const std::byte> bytes{call.payload(), call.bytes};
  if ((call.flags & wire::kPayloadInBlock) != 0) {
    bytes = attachments.front().bytes();
    attachments = attachments.subspan(1);
  }
  if (call.timed) heed(call, extra.heeded);
  const auto news = std::make_shared<ProgressNews>();
  CallerScope scope{call.timed ? extra.terms.deadline_ns : 0, extra.stop.get_token(), *news, store_};
  CalledTask task{call.encoding, bytes, attachments, scope};
  run(task, call.function, (call.flags & wire::kNamed) != 0);

  const Section section{*this};
  --running_here_;
  if (call.timed) note_times(call, extra.terms.began_ns, base::now_ns() - extra.terms.began_ns);
  if (!call.extra()->talk) call.extra()->talk = std::make_shared<Talk>();
  call.extra()->talk->progress = news;
  call.extra()->stop = std::stop_source{std::nostopstate};
  call.encoding = task.encoding;
  call.flags = static_cast<std::uint16_t>(call.flags & wire::kNamed);
  call.ending = task.ending.value_or(Ending::failure);
  call.store(task.bytes.data(), static_cast<std::uint32_t>(task.bytes.size()));
  call.extra()->attachments = std::move(task.attachments);
  ++(call.ending == Ending::value ? finished_ : stopped_late(call) ? timed_out_ : failed_);
  settle(call);
}

/// Runs the initializer, if that has not been done. Returns why it could not.
std::string PoolCore::prepare_here() {
  if (options_.initializer == 0) return {};
  const std::lock_guard guard{preparing_};
  if (prepared_) return {};
  const detail::TaskEntry* const entry = find_task(options_.initializer, false);
  if (entry == nullptr) return describe_unknown_task(false);
  try {
    InitializerCall call{kWorkerId, store_};
    entry->invoke(call);
  } catch (...) {
    return describe_start_error(
        {"initializer", "the initializer threw", wire::encode(describe(std::current_exception()))});
  }
  prepared_ = true;
  return {};
}

}  // namespace weft::work
