// Workers that are copied from a process which has run the initializer. Runs on the attendant's thread.
//
// start_worker() -> start_from_zygote() -> [start_zygote() -> Ready] -> ask() -> Forked -> on_forked() -> adopt(): from
// there on such a worker is like any other. A start counts in starts_posted_ until it is adopted or has failed.

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>
#include <weft/error.hpp>

#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "process/black_box.hpp"
#include "process/descriptors.hpp"
#include "process/limits.hpp"
#include "work/faults.hpp"
#include "work/identity.hpp"
#include "work/pool_core.hpp"
#include "work/worker_main.hpp"
#include "work/worker_start.hpp"
#include "work/zygote.hpp"

namespace weft::work {

namespace {

/// Functions of libraries are found once, in the zygote, and not by each worker at its first call of each. It takes that
/// out of its environment again.
void bind_now(process::SpawnOptions& spawn) {
  if (!spawn.environment) {
    spawn.environment.emplace();
    for (char** each = environ; *each != nullptr; ++each) spawn.environment->emplace_back(*each);
  }
  const auto says = [](const std::string& each) { return each.starts_with("LD_BIND_NOW="); };
  if (std::none_of(spawn.environment->begin(), spawn.environment->end(), says))
    spawn.environment->emplace_back(kBindNow);
}

}  // namespace

void PoolCore::warm_zygote() {
  Attendant::get().post([weak = weak_from_this()] {
    const auto core = weak.lock();
    if (!core) return;
    {
      const Section section{*core};
      if (core->closed_ || core->zygote_) return;
    }
    // One that cannot start is told of by the first worker that is wanted.
    static_cast<void>(core->start_zygote());
  });
}

/// A worker is wanted; it is counted in starts_posted_.
void PoolCore::start_from_zygote() {
  std::shared_ptr<Zygote> zygote;
  {
    const Section section{*this};
    zygote = zygote_;
  }
  if (!zygote) {
    auto started = start_zygote();
    if (!started) {
      const Section section{*this};
      --starts_posted_;
      return start_failed(started.fault().message, error_of(started.fault()));
    }
    zygote = *std::move(started);
  }
  {
    const Section section{*this};
    if (zygote->state == Zygote::State::ending) {  // the pool has been closed meanwhile, or restarted
      --starts_posted_;
      replace_outdated();
      if (!queue_.empty()) want_workers();
      return wake_watchers();
    }
    ++zygote->wanted;
  }
  ask(zygote);
}

base::Result<std::shared_ptr<Zygote>> PoolCore::start_zygote() {
  auto zygote = std::make_shared<Zygote>();
  {
    const Section section{*this};
    zygote->restarts = restarts_;
  }
  auto sockets = process::socket_pair();
  if (!sockets) return sockets.fault();
  if (options_.output != Output::inherit) {
    auto output = WorkerOutput::make(options_.output, options_.output_prefix);
    if (!output) return output.fault();
    zygote->output = *std::move(output);
  }
  process::SpawnOptions spawn = spawn_options(kZygoteArgument, sockets->theirs.get(), zygote->output.get());
  bind_now(spawn);
  auto child = process::spawn(spawn);
  if (!child) return child.fault();
  zygote->child = *std::move(child);
  zygote->control = std::move(sockets->ours);
  if (auto sent = process::send(zygote->control.get(), wire::encode(hello()));
      !sent && !process::peer_gone(sent.fault())) {
    discard(zygote->child);
    return sent.fault();
  }
  if (zygote->output) zygote->output->begin(0, zygote->child.pid);
  static_cast<void>(prepare_next(*zygote));  // what stands in its way is told where the worker is wanted
  const Section section{*this};
  zygote_ = zygote;
  ++zygotes_;
  auto self = shared_from_this();
  Attendant& attendant = Attendant::get();
  zygote->control_watch =
      attendant.watch(zygote->control.get(), false, [self, zygote] { self->on_zygote(zygote); });
  zygote->end_watch =
      attendant.watch(zygote->child.pidfd.get(), false, [self, zygote] { self->on_zygote_end(zygote); });
  watch_start(zygote);
  if (abandoned_ || (closed_ && queue_.empty()) || zygote->restarts != restarts_) end_zygote();
  return zygote;
}

/// Its start, or its answer, may take as long as a worker's start.
void PoolCore::watch_start(const std::shared_ptr<Zygote>& zygote) {
  if (options_.start_timeout_ns == 0) return;
  Attendant::get().cancel(zygote->timer);
  zygote->timer = Attendant::get().at(base::now_ns() + options_.start_timeout_ns,
                                      [weak = weak_from_this(), late = std::weak_ptr{zygote}] {
                                        const auto core = weak.lock();
                                        const auto held = late.lock();
                                        if (!core || !held) return;
                                        const Section section{*core};
                                        held->start_error = core->describe_start_timeout();
                                        process::kill(held->child, SIGKILL);
                                      });
}

/// Asks for the workers that are wanted, as far as the socket surely takes.
void PoolCore::ask(const std::shared_ptr<Zygote>& zygote) {
  for (;;) {
    {
      const Section section{*this};
      if (!zygote->takes_more() || zygote->wanted == 0) return;
      if (!is_worker_needed()) {
        --zygote->wanted;
        --starts_posted_;
        wake_watchers();
        continue;
      }
      if (zygote->next) {
        --zygote->wanted;
        if (!ask_for_one(zygote)) return;
        continue;
      }
    }
    auto done = prepare_next(*zygote);
    if (done) continue;
    const Section section{*this};
    if (zygote->wanted == 0) return;  // the zygote was told to go meanwhile
    --zygote->wanted;
    --starts_posted_;
    start_failed(done.fault().message, error_of(done.fault()));
  }
}

/// The same on the thread that wants the worker, where all is there that it takes: the attendant need not be woken for it. It
/// is counted in starts_posted_. False if the attendant has to see to it.
bool PoolCore::ask_at_once() {
  if (!zygote_ || !zygote_->takes_more() || zygote_->wanted != 0 || !zygote_->next) return false;
  static_cast<void>(ask_for_one(zygote_));
  return true;
}

/// Under the lock. False if the zygote has gone: its end, which the pidfd tells, takes care of what was wanted.
bool PoolCore::ask_for_one(const std::shared_ptr<Zygote>& zygote) {
  Zygote::Unborn next = *std::exchange(zygote->next, std::nullopt);
  std::array<int, 4> descriptors{next.control.get(), next.peer->offered.get(), -1, -1};
  std::size_t count = 2;
  if (next.peer->output) {
    process::SpawnOptions streams;
    next.peer->output->pass_to(streams);
    for (const auto& [source, target] : streams.descriptors)
      descriptors[static_cast<std::size_t>(target) + 1] = source;
    count = 4;
  }
  WEFT_FAILURE_POINT("parent.fork.before_ask");
  if (!process::send(zygote->control.get(), wire::encode(wire::Fork{next.peer->id}),
                     std::span{descriptors}.first(count))) {
    ++zygote->wanted;
    process::kill(zygote->child, SIGKILL);
    return false;
  }
  zygote->asked.push_back(std::move(next.peer));
  if (zygote->asked.size() == 1) watch_start(zygote);
  return true;
}

/// This side of the next worker, made before anybody waits for it: its memory takes as long as the copying. Where nothing
/// is limited it is greeted too, and need not wait until this side knows its process id.
base::Result<void> PoolCore::prepare_next(Zygote& zygote) {
  {
    const Section section{*this};
    if (zygote.next) return {};
  }
  auto start = make_start();
  if (!start) return start.fault();
  base::UniqueFd control = std::move(start->sockets.theirs);
  auto peer = make_peer(*std::move(start));
  if (!peer) return peer.fault();
  if (options_.allowance.empty()) {
    if (auto greeted = greet(**peer); !greeted) return greeted.fault();
  }
  const Section section{*this};
  zygote.next.emplace(Zygote::Unborn{*std::move(peer), std::move(control)});
  return {};
}

void PoolCore::on_zygote(const std::shared_ptr<Zygote>& zygote) {
  {
    const Section section{*this};
    while (read_zygote(zygote)) {
    }
  }
  ask(zygote);
}

/// One message. False if there is none.
bool PoolCore::read_zygote(const std::shared_ptr<Zygote>& zygote) {
  constexpr std::size_t kMessageBytesMax = 256 * 1024;
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kMessageBytesMax);
  const std::span room{buffer.get(), kMessageBytesMax};
  const auto refuse = [&](std::string why) {
    if (zygote->start_error.empty()) zygote->start_error = std::move(why);
    process::kill(zygote->child, SIGKILL);
    return false;
  };
  auto received = process::receive(zygote->control.get(), room, 1);
  if (!received) return refuse(received.fault().message);
  if (received->state == process::Received::State::would_block) return false;
  if (received->state == process::Received::State::closed) {
    // Its end follows on the pidfd.
    Attendant::get().forget(zygote->control_watch, zygote->control.get());
    return false;
  }
  auto message = wire::decode_control(room.first(received->bytes));
  if (!message) return refuse(message.fault().message);
  if (const auto* const forked = std::get_if<wire::Forked>(&*message)) {
    if (zygote->asked.empty() || zygote->asked.front()->id != forked->worker_id)
      return refuse("the zygote broke the protocol: it answered what it was not asked");
    on_forked(*zygote, *forked);
    Attendant::get().cancel(zygote->timer);
    if (!zygote->asked.empty()) watch_start(zygote);
    return true;
  }
  if (const auto* const error = std::get_if<wire::StartError>(&*message)) {
    zygote->start_error = describe_start_error(*error);
    return true;
  }
  const auto* const ready = std::get_if<wire::Ready>(&*message);
  if (ready == nullptr || zygote->state == Zygote::State::serving || received->descriptors.size() != 1)
    return refuse("the zygote broke the protocol: it said what it may not");
  if (auto same =
          wire::check_compatible(own_identity(), ready->identity, options_.executable == "/proc/self/exe");
      !same) {
    zygote->start_exception = error_of(same.fault());
    return refuse(same.fault().message);
  }
  auto births = memory::PeerRegion::map(std::move(received->descriptors.front()), sizeof(BirthRecord));
  if (!births) return refuse(births.fault().message);
  zygote->births = *std::move(births);
  Attendant::get().cancel(zygote->timer);
  if (zygote->state == Zygote::State::starting) zygote->state = Zygote::State::serving;
  return true;
}

/// The first of those that were asked for has come into the world, or could not.
void PoolCore::on_forked(Zygote& zygote, const wire::Forked& forked) {
  std::unique_ptr<Peer> peer = std::move(zygote.asked.front());
  zygote.asked.pop_front();
  --starts_posted_;
  if (forked.pid == 0) {
    const base::Fault fault = process::out_of_processes("cannot copy a worker", forked.error);
    return start_failed(fault.message, error_of(fault));
  }
  auto child = process::adopt("a worker", static_cast<pid_t>(forked.pid));
  if (!child) return start_failed(child.fault().message, error_of(child.fault()));
  if (!options_.allowance.empty()) {
    auto done = process::allow(child->pid, options_.allowance);
    if (done) done = greet(*peer);
    if (!done) {
      discard(*child);
      return start_failed(done.fault().message, error_of(done.fault()));
    }
  }
  peer->child = *std::move(child);
  peer->outdated = zygote.restarts != restarts_;
  WEFT_FAILURE_POINT("parent.fork.adopted");
  if (peer->output) peer->output->begin(peer->id, peer->child.pid);
  Peer& adopted = *peer;
  adopt(std::move(peer));
  if (adopted.killed) return;
  if (closed_ && queue_.empty()) return retire(adopted);
  // What the zygote is and has done holds for its copy too: it gets tasks at once, and says nothing before its first
  // answer. Nothing of the worker's has written to its lane yet, so where its parts lie follows from what it was made for.
  auto region = memory::PeerRegion::map(std::move(adopted.offered), worker_lane_bytes());
  if (!region) return condemn(adopted, region.fault());
  const ring::LaneView view =
      ring::view_lane(const_cast<std::byte*>(region->data()), base::kRingLines, process::kBlackBoxBytes);
  adopted.is_copy = true;
  begin_serving(adopted, *std::move(region), view);
}

void PoolCore::on_zygote_end(const std::shared_ptr<Zygote>& zygote) {
  const Section section{*this};
  auto reaped = process::reap(zygote->child);
  if (reaped && !*reaped) return;  // not yet
  const process::ExitStatus status = reaped ? **reaped : process::ExitStatus{};
  Attendant& attendant = Attendant::get();
  attendant.forget(zygote->end_watch, zygote->child.pidfd.get());
  while (read_zygote(zygote)) {
  }
  attendant.forget(zygote->control_watch, zygote->control.get());
  attendant.cancel(zygote->timer);
  // Killed between making a worker and telling of it.
  bool found = false;
  if (!zygote->asked.empty() && zygote->births.data() != nullptr) {
    const auto& record = *reinterpret_cast<const BirthRecord*>(zygote->births.data());
    // Relaxed: the zygote is dead, and the kernel's word of that comes after everything.
    const std::uint64_t id = record.worker_id.load(std::memory_order_relaxed);
    const auto pid = static_cast<std::uint32_t>(record.pid);
    found = id == zygote->asked.front()->id && pid != 0;
    if (found) on_forked(*zygote, {id, pid, 0});
  }
  if (zygote->output) zygote->output->end();
  --zygotes_;
  if (zygote_ == zygote) zygote_.reset();
  const bool was_ready = zygote->births.data() != nullptr;
  const std::size_t lost = zygote->asked.size();
  const std::size_t wanted = std::exchange(zygote->wanted, 0);
  zygote->asked.clear();
  starts_posted_ -= wanted;
  std::string why = zygote->start_error;
  if (why.empty()) {
    why = "the process that workers are copied from ended: " + process::describe(status);
    if (!was_ready && options_.initializer != 0) why += ", most likely in its initializer";
    if (!was_ready) why += "; does main() call weft::init first?";
  }
  starts_posted_ -= lost;
  // One that was never ready would have been so many workers; later only the one that it had in hand has failed.
  const std::size_t in_hand = lost != 0 && !found ? 1 : 0;
  for (std::size_t failed = was_ready ? in_hand : wanted; failed > 0; --failed) {
    start_failed(why, zygote->start_exception);
  }
  replace_outdated();
  if (!queue_.empty() || options_.minimum != 0) want_workers();
  wake_watchers();
}

/// No more workers are copied from this one. It makes those that it was asked for, and ends.
void PoolCore::end_zygote() noexcept {
  const std::shared_ptr<Zygote> zygote = std::exchange(zygote_, nullptr);
  if (!zygote) return;
  starts_posted_ -= std::exchange(zygote->wanted, 0);
  const bool starting = zygote->state == Zygote::State::starting;
  zygote->state = Zygote::State::ending;
  // One that has made no worker yet leaves none behind.
  if (starting) return process::kill(zygote->child, SIGKILL);
  ::shutdown(zygote->control.get(), SHUT_WR);
  Attendant::get().cancel(zygote->timer);
  zygote->timer = Attendant::get().at(base::now_ns() + base::kEndNsMax, [late = std::weak_ptr{zygote}] {
    if (const auto held = late.lock()) process::kill(held->child, SIGKILL);
  });
}

}  // namespace weft::work
