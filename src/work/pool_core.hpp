#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/detail/channel_port.hpp>
#include <weft/detail/submitter.hpp>
#include <weft/error.hpp>
#include <weft/histogram.hpp>
#include <weft/mutex.hpp>
#include <weft/pool.hpp>
#include <weft/worker_store.hpp>

#include "base/first_look.hpp"
#include "base/mutex.hpp"
#include "base/unique_fd.hpp"
#include "base/wait_estimate.hpp"
#include "doorbell/doorbell.hpp"
#include "fiber/reactor.hpp"
#include "link/board.hpp"
#include "memory/region.hpp"
#include "process/descriptors.hpp"
#include "work/attendant.hpp"
#include "work/call.hpp"
#include "work/call_queue.hpp"
#include "work/callback.hpp"
#include "work/core_options.hpp"
#include "work/core_status.hpp"
#include "work/core_use.hpp"
#include "work/observation.hpp"
#include "work/peer.hpp"
#include "work/start_circuit.hpp"

namespace weft::work {

class ParentEnd;
struct Zygote;
struct Told;

/// The reactor of the calling thread. Throws Exhausted.
fiber::Reactor& own_reactor();

/// Ends a process at once that is of no use, and reaps it.
void discard(const process::Child& child);
std::string describe_start_error(const wire::StartError& error);

/// What a Pool and a Worker are made of: the calls, the queue, the workers, and the rules of who gets what.
///
/// Any thread may submit. Whoever waits reads the replies itself, under the lock, else the attendant does (src/README.md).
///
/// Owner: the Pool, the attendant's handlers, and the last Execution. Threads: any. Fibers: never suspended under the
/// lock.
class PoolCore final : public fiber::Source, public std::enable_shared_from_this<PoolCore> {
  struct Token {};

 public:
  static std::shared_ptr<PoolCore> make(CoreOptions options);
  PoolCore(Token, CoreOptions options);  ///< for make()
  ~PoolCore();

  /// Throws Closed, EncodingError, Exhausted. Never waits.
  Call& submit(const detail::Request& request);
  /// The same for a view of the pool, or one of its workers alone.
  Call& submit(const detail::Request& request, const detail::Route& route);
  /// Suspends the fiber until the call is settled: true; or the deadline has passed: false.
  bool wait(Call& call, std::uint64_t deadline_ns);
  /// Waits for a value; a short one is copied, and the call given back: true. False: it is settled otherwise, and stays.
  bool take(Call& call, detail::ShortValue& value);
  /// Uses the active fiber's `waker` when the call settles; false if it has. unwatch() then, on the same thread.
  bool watch(Call& call, const fiber::Waker& waker);
  void unwatch(Call& call) noexcept;
  /// True once settled; looks at the rings, without waiting.
  bool ready(Call& call);
  /// The Execution is gone.
  void release(Call& call) noexcept;
  /// Whether somebody has heard of the failure of a settled call.
  std::shared_ptr<Hearing> hearing_of(Call& call);
  /// True if the task will not run: it was taken back, and the call is settled as Cancelled.
  bool cancel(Call& call, const std::string& reason);
  /// Takes `continuation`, to run on the thread that settles the call; or leaves it, if the call has settled: false.
  bool on_settled(Call& call, const void* owner, std::function<void()>& continuation);
  /// Takes back what `owner` wanted to be run; false if it has been, or is just being.
  bool forget(Call& call, const void* owner) noexcept;
  /// Tells `watcher` when the call settles; false, and it is not told, if it has.
  bool watch(Call& call, Watcher& watcher);
  /// None of those that watch calls of this pool is told any more, nor is just being told.
  void unwatch(std::span<Watcher> watchers) noexcept;
  /// See Execution. Throws ArgumentError.
  std::shared_ptr<detail::ChannelPort> open_channel(Call& call, const detail::ChannelName& name);
  Progress progress(Call& call);
  void on_progress(Call& call, std::function<void(const Progress&)> callback);
  /// Lets `reactor` read this pool's answers while it has nothing else to do. Undone by detach().
  void attach_to(fiber::Reactor& reactor);

  /// Starts a worker though no task waits for one.
  void warm_up();
  /// Starts the process that workers are copied from, though none is wanted yet.
  void warm_zygote();
  /// Refuses further tasks, waits until all are done and the workers have gone; false at the deadline.
  bool shutdown(std::uint64_t deadline_ns);
  /// Ends all workers at once; what had not settled fails with WorkerKilled or Closed. Returns how many.
  std::size_t kill(const std::string& reason);
  /// The pool object is gone.
  void abandon();

  [[nodiscard]] std::size_t limit() const;
  /// Of the oldest worker that has started; 0 if there is none.
  [[nodiscard]] std::int64_t first_pid();
  /// Sends the workers a signal; false if there are none.
  bool signal(int number);

  /// Another number of workers at the most; those who are too many finish what they have and end.
  void resize(std::size_t limit);
  /// The workers finish what they have and end, by and by; others come in their place.
  void restart();
  /// Refuses further tasks, drops those that wait, and lets the workers go once they have done what they have begun.
  void stop();
  /// No task waits or runs, and it takes more.
  [[nodiscard]] bool is_idle();
  [[nodiscard]] bool is_closed();
  /// Suspends until no task waits or runs: true; or the deadline: false.
  bool wait_until_idle(std::uint64_t deadline_ns);
  /// True while the queue is full; wait_until_drained() suspends until it is not.
  bool needs_drain();
  bool wait_until_drained(std::uint64_t deadline_ns);

  /// A share in the workers for one submitter; release_share() when nobody submits to it any more.
  Share& add_share(std::size_t limit);
  void release_share(Share& share) noexcept;
  /// Suspends until there is a worker with nothing to do, which from then on gets only what is meant for it: its id.
  /// Throws Closed, StartFailed.
  std::uint64_t lease();
  void end_lease(std::uint64_t worker) noexcept;
  /// The process of a worker; 0 if it has gone.
  [[nodiscard]] std::int64_t pid_of(std::uint64_t worker) noexcept;
  /// The ids of those that take tasks.
  [[nodiscard]] std::vector<std::uint64_t> workers();
  [[nodiscard]] CoreStatus status();

  /// Sends a worker what the shared objects have for it.
  void deliver(std::uint64_t worker);

  bool poll() noexcept override;
  bool arm() noexcept override;
  void disarm() noexcept override;
  [[nodiscard]] std::uint64_t busy_poll_ns() const noexcept override;

 private:
  friend class ParentEnd;
  class Section;
  // Data plane: pool_core.cpp.
  Call& submit_on_terms(const detail::Request& request, const detail::Route& route);
  Call& submit_framed(const detail::Request& request, std::uint16_t flags, const Terms* terms = nullptr);
  Call& submit_in_block(const detail::Request& request, std::uint16_t flags, const Terms* terms = nullptr);
  bool spin(Call& call, fiber::Reactor& reactor, std::uint64_t deadline_ns, detail::ShortValue* value,
            std::uint64_t budget);
  bool wait(Call& call, std::uint64_t deadline_ns, detail::ShortValue* value);
  void take_short(Call& call, detail::ShortValue& value) noexcept;
  [[gnu::noinline]] void release_slowly(Call& call) noexcept;
  [[gnu::always_inline]] inline bool take_at_once(Call& call, detail::ShortValue& value) noexcept;
  [[nodiscard]] inline bool is_alone(const Call& call) const noexcept;
  bool drain(Peer& peer) noexcept;
  // Inlined, since each has one caller: half of its work would be to save and restore registers.
  [[gnu::always_inline]] inline bool settle_plain(Peer& peer) noexcept;
  [[gnu::always_inline]] inline void on_frame(Peer& peer);
  [[gnu::noinline]] void on_answer(Peer& peer, const wire::FrameHeader& header,
                                   std::span<const std::byte> body);
  void settle(Call& call) noexcept;
  void settle_with(Call& call, std::exception_ptr exception) noexcept;
  void settle_with(Call& call, std::exception_ptr exception, std::uint64_t& count) noexcept;
  bool send(Peer& peer, Call& call, const detail::Payload& payload);
  [[gnu::always_inline]] inline bool send_inlined(Peer& peer, Call& call, const detail::Payload& payload);
  bool send_with_blocks(Peer& peer, Call& call, const detail::Payload& payload);
  void enqueue(Call& call, const detail::Payload& payload);
  Peer* next_peer() noexcept;
  [[gnu::noinline]] Peer* next_peer_with_room() noexcept;
  [[gnu::always_inline]] inline void no_longer_sent(Peer& peer, Call& call) noexcept;
  // What a worker does not run after all: pool_taking_back.cpp.
  bool withdraw(Peer& peer, Call& call);
  static std::uint64_t withdraw_all(Peer& peer) noexcept;
  bool read_back(Peer& peer, Call& call);
  bool on_returned(Peer& peer, Call& call);
  void take_all_back(Peer& peer);
  // Time limits and retries: pool_clocks.cpp.
  void set_terms(Call& call, const Terms& terms, const detail::Payload& payload);
  void set_timer(Call& call, std::uint64_t at_ns);
  void drop_terms(Call& call) noexcept;
  void start_clock(Peer& peer);
  void next_timer(Call& call);
  void on_time(std::uint32_t slot, std::uint64_t serial);
  bool take_back(Call& call);
  void settle_late(Call& call, TimeLimit limit);
  void on_came_back(Call& call);
  void stop_late(Call& call, TimeLimit limit, const std::string& reason);
  bool stopped_late(Call& call);
  [[nodiscard]] static bool went_beyond_limit(const Peer& peer, const Call& call) noexcept;
  void end_by_limit(Call& call);
  bool retry(const Peer& gone, Call& call);
  void sent_on_terms(Peer& peer, Call& call);
  void note_times(Call& call, std::uint64_t begun_ns, std::uint64_t ran_ns);
  // What is not to be done any more: pool_stopping.cpp.
  struct StopRequested;
  bool take_back_or_stop(Call& call, const std::string& reason);
  void settle_cancelled(Call& call);
  void ask_to_stop(Call& call);
  void flush_stops(Peer& peer);
  void heed(Call& call, const std::stop_token& stop);
  void forget_stop(Call& call) noexcept;
  void on_stop_requested(std::uint32_t slot, std::uint64_t serial);
  void take_back_what_can_be(Peer& peer);
  void drop_waiting();
  // Who is told: pool_observing.cpp.
  void no_longer_handed(Call& call) noexcept;
  void observe(Observation::What what, const Call& call);
  void observe(Observation::What what, const Peer& peer, std::string reason = {});

  // Views, leases, and tasks for one worker alone: pool_routes.cpp.
  void take_place(Call& call) noexcept;
  void give_up_place(Call& call) noexcept;
  void unqueue(Call& call) noexcept;
  void submit_pinned(Call& call, const detail::Payload& payload);
  void send_waiting(Peer& peer);
  void fail_waiting(Peer& peer, const std::string& reason);
  Peer* choose_for_lease();
  void retire_or_later(Peer& peer, const char* why);

  // Shared objects: pool_sharing.cpp.
  void on_ask(Peer& peer, const wire::FrameHeader& header, std::span<const std::byte> body);
  void read_always(Peer& peer);
  bool read_askers() noexcept;
  void send_answers(Peer& peer);
  bool send_answer(Peer& peer, std::uint64_t ticket, const Told& told);
  [[nodiscard]] bool owes_answers() const;
  void bury_guest(Peer& peer);

  // Upkeep: pool_upkeep.cpp.
  void tend_later();
  void tend();
  void recycle(Peer& peer, const std::string& why);
  void recycle_if_due(Peer& peer, std::uint64_t now_ns);
  void wait_for_room();
  [[nodiscard]] bool has_queue_room() const noexcept;
  [[nodiscard]] bool is_busy() const noexcept;
  bool wait_until(const std::function<bool()>& condition, std::uint64_t deadline_ns);

  // Replacing all workers: pool_restart.cpp.
  void replace_outdated();
  Peer* next_outdated() noexcept;
  void give_up_restart() noexcept;
  [[nodiscard]] std::size_t count_missing() const noexcept;
  [[nodiscard]] std::size_t count_starting() const noexcept;
  [[nodiscard]] std::size_t count_unstarted() const noexcept;

  // Who gets what: pool_balance.cpp.
  [[gnu::noinline]] Peer* woken_or_busy(Peer& sleeping) noexcept;
  Peer* peer_with_little() noexcept;
  void now_idle(Peer& peer) noexcept;
  Peer* some_idle_peer() noexcept;
  void refill();
  void share_out();
  void unstick(Peer& stuck);
  void unstick_all();
  bool move(Peer& from, Peer& to, std::size_t count);
  [[nodiscard]] bool can_grow() const noexcept;
  [[nodiscard]] bool is_crowded() const noexcept;
  [[nodiscard]] bool is_saturated() const noexcept;
  [[nodiscard]] std::uint64_t window_ns() const noexcept;
  void narrow_windows() noexcept;
  [[nodiscard]] bool has_better_use_of_core(const Call& call) const noexcept;
  void be_impatient();
  void start_another();
  void clog(Peer& peer);
  void unclog();
  void wake_sleepers() noexcept;
  void check_later();
  void check();
  bool resend(Peer& peer, Call& call);
  bool poll_locked() noexcept;
  void tell(Call& call) noexcept;
  void run_continuations(Call& call);

  // Channels and progress: pool_channels.cpp.
  [[gnu::noinline]] void on_talk(Peer& peer, const wire::FrameHeader& header,
                                 std::span<const std::byte> body);
  void on_open(Peer& peer, Call& call, const wire::FrameHeader& header, ParentEnd* end);
  void on_channel_value(Peer& peer, ParentEnd& end, const wire::FrameHeader& header,
                        std::span<const std::byte> body);
  void on_progress_frame(Peer& peer, Call& call, std::span<const std::byte> body);
  void end_talk(Talk& talk) noexcept;
  void forget_opened(Call& call) noexcept;
  bool look(ParentEnd& end) noexcept;
  void flush(ParentEnd& end) noexcept;
  void flush_later(ParentEnd& end) noexcept;

  // Control plane: pool_workers.cpp, on the attendant's thread.
  void want_workers();
  void start_one_more();
  [[nodiscard]] bool is_worker_needed() const noexcept;
  void start_worker();
  base::Result<std::unique_ptr<Peer>> spawn_worker();
  struct Start;
  base::Result<Start> make_start();
  base::Result<std::unique_ptr<Peer>> make_peer(Start start);
  process::SpawnOptions spawn_options(const char* argument, int control, const WorkerOutput* output) const;
  [[nodiscard]] wire::Hello hello() const;
  base::Result<void> greet(Peer& peer);
  static std::uint64_t worker_lane_bytes() noexcept;
  void adopt(std::unique_ptr<Peer> started);
  void start_failed(const std::string& why, std::exception_ptr exact = nullptr);
  void on_control(std::uint64_t id);
  void read_control(Peer& from);
  void on_ready(Peer& peer, const wire::Ready& ready, bool has_descriptors);
  void begin_serving(Peer& peer, memory::PeerRegion lane, const ring::LaneView& view);
  void on_start_timeout(std::uint64_t id);
  void on_end(std::uint64_t id);
  std::string describe_start_timeout() const;
  std::string why_not_started(const Peer& peer, const process::ExitStatus& status) const;
  void start_serving(Peer& peer);
  void stop_serving(Peer& peer) noexcept;
  void bury(Peer& peer, const process::ExitStatus& status);
  std::exception_ptr end_error(const Peer& peer, const process::ExitStatus& status, const Call& call) const;
  void condemn(Peer& peer, const std::string& violation);
  void condemn(Peer& peer, const base::Fault& fault);
  void retire(Peer& peer);
  void on_bell();
  void adapt_spinning() noexcept;
  Peer* find_peer(std::uint64_t id) noexcept;
  void wake_watchers() noexcept;
  void leave_slowly() noexcept;

  // No workers: pool_caller.cpp, on the threads that submit.
  void run_soon(Call& call);
  void run_here(Call& call);
  std::string prepare_here();

  // Workers that are threads: pool_thread.cpp.
  base::Result<std::unique_ptr<Peer>> spawn_thread();
  bool leave_running(Peer& peer, Call& call);
  [[nodiscard]] std::vector<std::shared_ptr<WorkerThread>> idle_threads() const;
  bool take_one_more();

  // Workers that are copied: pool_zygote.cpp, on the attendant's thread but for end_zygote() and ask_at_once().
  void start_from_zygote();
  base::Result<std::shared_ptr<Zygote>> start_zygote();
  void ask(const std::shared_ptr<Zygote>& zygote);
  bool ask_at_once();
  bool ask_for_one(const std::shared_ptr<Zygote>& zygote);
  base::Result<void> prepare_next(Zygote& zygote);
  void watch_start(const std::shared_ptr<Zygote>& zygote);
  void on_zygote(const std::shared_ptr<Zygote>& zygote);
  bool read_zygote(const std::shared_ptr<Zygote>& zygote);
  void on_forked(Zygote& zygote, const wire::Forked& forked);
  void on_zygote_end(const std::shared_ptr<Zygote>& zygote);
  void end_zygote() noexcept;

  CoreOptions options_;
  std::uint64_t bell_id_ = 0;
  base::UniqueFd attendant_bell_;
  base::UniqueFd waiter_bell_;
  memory::OwnedRegion board_region_;
  link::Board* board_ = nullptr;
  std::uint64_t bell_watch_ = 0;
  unsigned cores_ = 1;

  /// Where the next frame will most likely begin: an address to prefetch, and nothing else.
  base::Atomic<const void*> next_line_{nullptr};

  mutable base::Mutex lock_;  // guards all below
  doorbell::Sleeper sleeper_;
  base::FirstLook first_look_;  ///< of whoever spins until a call settles
  base::WaitEstimate wait_estimate_;
  CallTable calls_;
  CallQueue queue_;
  std::uint64_t last_serial_ = 0;
  Attendant::Timer tend_timer_;
  std::vector<Peer*> serving_;
  std::vector<Peer*> idle_;    ///< those that have nothing to do, the last that had last; and some that have
  std::vector<Peer*> askers_;  ///< read though no answer of theirs may be due: they ask for shared objects
  std::size_t cursor_ = 0;
  std::size_t leased_ = 0;  ///< of those that serve
  Attendant::Timer check_timer_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::size_t starts_posted_ = 0;
  std::uint64_t restarts_ = 0;  ///< how often restart() was called
  std::size_t kept_ = 0;        ///< so many workers shall there be while they are replaced; 0 otherwise
  std::uint64_t last_peer_id_ = 0;
  StartCircuit circuit_;
  bool closed_ = false;
  bool stopped_ = false;  ///< what has not begun is dropped
  bool abandoned_ = false;
  std::string closed_reason_;
  const fiber::Reactor* seat_ = nullptr;  ///< whose thread sleeps on the waiter bell
  bool patient_ = false;                  ///< it said that it can wait
  CoreUse core_use_;
  bool overtaking_ = false;                   ///< there have been tasks of a priority of their own
  std::size_t sleepers_ = 0;                  ///< threads that sleep until a call of this pool settles
  std::vector<fiber::Waker> watchers_;        ///< of shutdown(): woken when a call settles or a worker goes
  std::vector<std::function<void()>> after_;  ///< to be run by who leaves the lock
  bool leave_slowly_ = false;                 ///< there is something in after_, or the pool is gone
  std::vector<wire::BlockReference> references_;  // scratch
  std::uint64_t finished_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t timed_out_ = 0;
  std::uint64_t workers_lost_ = 0;
  std::uint64_t workers_recycled_ = 0;
  std::string last_recycled_;
  Histogram wait_times_;
  Histogram run_times_;
  std::shared_ptr<PoolCore> keep_;  ///< itself, while the pool is gone and calls are not
  std::vector<Peer*> leaving_;      ///< workers that were asked to go and had not answered everything
  std::shared_ptr<Zygote> zygote_;  ///< the one that new workers are copied from
  std::size_t zygotes_ = 0;         ///< processes, those included that were told to go
  std::size_t running_here_ = 0;    ///< tasks on the threads that submitted them

  const std::shared_ptr<Observation> observation_;  ///< null without observers

  Mutex preparing_;        // guards prepared_
  bool prepared_ = false;  ///< the initializer has run here
  WorkerStore store_;      ///< of the tasks that ran here
};

/// Holds the lock; on leaving lets go of it, and then runs what has come up under it: continuations, bells (after_).
class PoolCore::Section {
 public:
  explicit Section(PoolCore& core) noexcept : core_{core} { core_.lock_.lock(); }
  Section(PoolCore& core, std::adopt_lock_t) noexcept : core_{core} {}
  ~Section() { core_.leave_slowly_ ? core_.leave_slowly() : core_.lock_.unlock(); }
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

 private:
  PoolCore& core_;
};

void PoolCore::no_longer_sent(Peer& peer, Call& call) noexcept {
  peer.sent.remove(call);
  call.peer = nullptr;
  if (peer.sent.empty()) return now_idle(peer);
  if (peer.sent.front()->timed) [[unlikely]]
    start_clock(peer);
}

}  // namespace weft::work
