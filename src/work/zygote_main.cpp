// A zygote: has run the initializer, and makes a copy of itself for each worker.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/failure_point.hpp"
#include "fiber/reactor.hpp"
#include "link/buffer_box.hpp"
#include "memory/region.hpp"
#include "process/black_box.hpp"
#include "process/descriptors.hpp"
#include "process/fork.hpp"
#include "wire/control.hpp"
#include "work/handshake.hpp"
#include "work/identity.hpp"
#include "work/worker_main.hpp"
#include "work/zygote.hpp"

namespace weft::work {

namespace {

constexpr int kRefused = 120;  // as of a worker that does not understand its parent

/// A copy has one thread, and shares descriptors and shared memory with all others: none of that may be in use yet.
void require_copyable(Handshake& handshake) {
  const std::string which =
      " (a static initialiser, main before weft::init, or the initializer); do that in the task, or use "
      "WorkerKind::exec";
  if (const std::string others = process::other_threads(); !others.empty())
    handshake.fail("zygote", "a process with " + others + " cannot be copied" + which);
  if (fiber::Reactor::exists())
    handshake.fail("zygote", "it has waited for something of weft's before it was copied" + which);
  if (link::arena().stats().chunks != 0)
    handshake.fail("zygote", "it has made a weft::Buffer before it was copied" + which);
}

/// What comes with a request: the new worker's control socket, what shall be its lane, and where these are pipes its
/// stdout and stderr.
constexpr std::size_t kWithoutStreams = 2;
constexpr std::size_t kWithStreams = 4;

/// In the copy: what was the zygote's own goes, and what came with the request takes its place.
[[noreturn]] void become_worker(int zygote_control, std::vector<base::UniqueFd> descriptors,
                                memory::OwnedRegion lane) {
  ::close(zygote_control);
  for (std::size_t i = kWithoutStreams; i < descriptors.size(); ++i) {
    if (::dup2(descriptors[i].get(), static_cast<int>(i - kWithoutStreams + 1)) < 0)
      ::_exit(Handshake::kStartFailed);
    descriptors[i].reset();
  }
  copied_worker_main(descriptors.front().release(), std::move(lane));
}

/// Makes one. The lane is mapped and sealed here, so that the parent can look at that before there is a worker to wait
/// for.
base::Result<pid_t> make_worker(int control, std::vector<base::UniqueFd>& descriptors, BirthRecord& record,
                                memory::OwnedRegion& births) {
  auto lane = memory::OwnedRegion::take(std::move(descriptors[1]), 1, {.keep_on_fork = true});
  if (!lane) return lane.fault();
  WEFT_FAILURE_POINT("zygote.fork.before");
  auto pid = process::fork_sibling(&record.pid);
  if (pid && *pid == 0) {
    births = {};
    become_worker(control, std::move(descriptors), *std::move(lane));
  }
  WEFT_FAILURE_POINT("zygote.fork.after");
  return pid;
}

}  // namespace

void zygote_main(int control) {
  begin_worker(kZygoteName);
  ::fcntl(control, F_SETFD, FD_CLOEXEC);
  if (const char* const set = std::getenv("LD_BIND_NOW");
      set != nullptr && std::string{kBindNow}.ends_with(set))
    ::unsetenv("LD_BIND_NOW");
  Handshake handshake{control};
  std::vector<base::UniqueFd> none;
  const wire::Hello hello = handshake.hello(none, 0);
  set_nesting_depth(hello.nesting_depth);
  // What each copy would do alike, and for longer: its pages are written here once.
  alignas(64) static std::byte area[process::kBlackBoxBytes];
  if (auto done = process::install_crash_handlers(process::make_black_box(area)); !done)
    handshake.fail("crash handlers", done.fault().message);
  process::load_unwinder();
  static_cast<void>(base::ticks_per_us());
  run_initializer(handshake, hello);
  require_copyable(handshake);
  fiber::Reactor::prepare();
  std::fflush(nullptr);  // else each copy would print it again

  auto births =
      handshake.need("shared memory", memory::OwnedRegion::create("weft-births", sizeof(BirthRecord)));
  auto* const record = reinterpret_cast<BirthRecord*>(births.data());
  const std::array<int, 1> descriptors{births.fd()};
  const wire::Ready ready{own_identity(), static_cast<std::uint32_t>(::getpid())};
  if (!process::send(control, wire::encode(ready), descriptors, process::Wait::yes))
    ::_exit(Handshake::kStartFailed);

  std::array<std::byte, 1024> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (;;) {
    auto received = process::receive(control, buffer, kWithStreams, process::Wait::yes);
    if (!received) ::_exit(kRefused);
    if (received->state != process::Received::State::message) ::_exit(0);  // the pool has gone
    auto message = wire::decode_control(std::span{buffer}.first(received->bytes));
    const auto* const request = message ? std::get_if<wire::Fork>(&*message) : nullptr;
    const std::size_t count = received->descriptors.size();
    if (request == nullptr || (count != kWithoutStreams && count != kWithStreams)) ::_exit(kRefused);
    // Relaxed: read after this process has ended, and the kernel's word of that comes after everything.
    record->pid = 0;
    record->worker_id.store(request->worker_id, std::memory_order_relaxed);
    auto pid = make_worker(control, received->descriptors, *record, births);
    const wire::Forked forked{request->worker_id, pid ? static_cast<std::uint32_t>(*pid) : 0,
                              pid ? 0 : pid.fault().error};
    if (!process::send(control, wire::encode(forked), {}, process::Wait::yes)) ::_exit(0);
  }
}

}  // namespace weft::work
