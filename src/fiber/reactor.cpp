#include "fiber/reactor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/context/detail/exception.hpp>
#include <boost/fiber/algo/algorithm.hpp>
#include <boost/fiber/context.hpp>
#include <boost/fiber/detail/spinlock.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <boost/fiber/protected_fixedsize_stack.hpp>
#include <boost/fiber/scheduler.hpp>
#include <boost/fiber/waker.hpp>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "base/atomic.hpp"
#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/unique_fd.hpp"
#include "fiber/stack_switches.hpp"

namespace weft::fiber {

namespace fibers = boost::fibers;
using SteadyTime = std::chrono::steady_clock::time_point;

namespace {

/// This thread's reactor, while its scheduler lives.
thread_local Reactor* tls_reactor = nullptr;

std::uint64_t ticks_of(std::uint64_t ns) noexcept { return ns * base::ticks_per_us() / 1000; }

SteadyTime steady_time(std::uint64_t ns) noexcept {
  return SteadyTime{
      std::chrono::nanoseconds{static_cast<std::int64_t>(std::min<std::uint64_t>(ns, INT64_MAX))}};
}

}  // namespace

class Reactor::Algorithm final : public fibers::algo::algorithm {
 public:
  Algorithm(base::UniqueFd epoll, base::UniqueFd bell)
      : reactor_{*this}, epoll_{std::move(epoll)}, bell_{std::move(bell)} {
    watch(bell_.get(), EPOLLIN | EPOLLET, nullptr);
    tls_reactor = &reactor_;
    set_spin(base::kSpinNsMax);
  }
  ~Algorithm() override {
    if (tls_reactor == &reactor_) tls_reactor = nullptr;
  }

  // What Boost.Fiber calls.

  void awakened(fibers::context* context) noexcept override {
    switches_.note(*context);
    context->ready_link(ready_);
    if (!context->is_context(fibers::type::dispatcher_context)) ++ready_count_;
  }
  fibers::context* pick_next() noexcept override {
    if (ready_.empty()) return nullptr;
    fibers::context* const next = &ready_.front();
    ready_.pop_front();
    if (!next->is_context(fibers::type::dispatcher_context))
      --ready_count_;
    else if (fds_watched_ != 0)
      glance();
    switches_.begin(*next);
    return next;
  }
  bool has_ready_fibers() const noexcept override { return !ready_.empty(); }
  void suspend_until(const SteadyTime& until) noexcept override;
  void notify() noexcept override {
    // Relaxed: the fence orders it.
    notified_.store(true, base::relaxed);
    // SYNC reactor-notify: what was handed over, and notified_, stand before the look at asleep_; pairs with the fence in
    // sleep().
    base::full_fence();
    if (asleep_.load(base::relaxed)) ring();
  }

  // What Reactor needs.

  void watch(int fd, std::uint32_t events, void* tag) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.ptr = tag;
    const int done = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    WEFT_CHECK(done == 0 || errno == EEXIST, "epoll_ctl refused a descriptor");
  }
  /// Bells stay registered after the source is detached, so that the next wait costs no system call. `id` tells a new
  /// bell from an old one whose number it got.
  void watch_bell(int fd, std::uint64_t id) {
    const auto same =
        std::find_if(watched_.begin(), watched_.end(), [&](const Watched& w) { return w.fd == fd; });
    if (same != watched_.end() && same->id == id) return;
    if (same != watched_.end()) watched_.erase(same);
    watch(fd, EPOLLIN | EPOLLET, nullptr);
    watched_.push_back({fd, id});
  }
  void set_spin(std::uint64_t ns) noexcept {
    spin_ns_ = ns;
    spin_ticks_ = ticks_of(ns);
  }
  [[nodiscard]] bool poll_sources() noexcept {
    bool any = false;
    // By index: a poll may wake nobody but it never attaches or detaches.
    for (std::size_t i = 0; i < sources_.size(); ++i) any = sources_[i].source->poll() || any;
    return any;
  }

  struct Attached {
    Source* source;
    int uses;
  };
  Reactor reactor_;
  base::UniqueFd epoll_;
  base::UniqueFd bell_;
  std::vector<Attached> sources_;
  struct Watched {
    int fd;
    std::uint64_t id;
  };
  std::vector<Watched> watched_;
  fibers::scheduler::ready_queue_type ready_;
  std::size_t ready_count_ = 0;  // without the dispatcher, which is nobody's work
  base::Atomic<bool> notified_{false};
  base::Atomic<bool> asleep_{false};
  std::size_t waker_epoch_ = 0;  // of the last waker()
  std::uint64_t spin_limit_ns_ = base::kSpinNsMax;
  std::uint64_t spin_ns_ = 0;
  std::uint64_t spin_ticks_ = 0;
  std::uint64_t sleeps_ = 0;
  std::size_t fds_watched_ = 0;  // by fibers that wait for them

 private:
  /// A thread whose fibers are never all at rest does not come to sleep, where it would hear of descriptors: it looks at
  /// them once in a while.
  void glance() noexcept {
    const std::uint64_t now = base::ticks();
    if (now - glanced_ < base::ticks_per_us() * base::kGlanceUs) return;
    glanced_ = now;
    wait(0);
  }
  std::uint64_t glanced_ = 0;
  [[no_unique_address]] StackSwitches switches_;
  [[nodiscard]] bool ready() noexcept {
    // Relaxed: what was handed over is taken under a lock of Boost.Fiber's; a look too early is made up for by sleep().
    return ready_count_ != 0 || notified_.exchange(false, base::relaxed);
  }
  void ring() noexcept {
    const std::uint64_t one = 1;
    while (::write(bell_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
  }
  bool look_for(std::uint64_t budget, const SteadyTime& until) noexcept;
  bool busy_poll(const SteadyTime& until) noexcept;
  [[nodiscard]] std::uint64_t busy_poll_ticks() const noexcept;
  void sleep(const SteadyTime& until) noexcept;
  bool rest(std::uint64_t timeout_ns) noexcept;
  void wait(std::uint64_t timeout_ns) noexcept;
};

void Reactor::Algorithm::suspend_until(const SteadyTime& until) noexcept {
  if (poll_sources() || ready()) return;
  if (!sources_.empty()) {
    const std::uint64_t begin = base::ticks();
    if (look_for(reactor_.spin_ticks(), until)) return reactor_.spun(true);
    if (busy_poll(until)) return reactor_.spun(base::ticks() - begin < ticks_of(spin_limit_ns_));
    if (std::chrono::steady_clock::now() >= until) return;
  }
  sleep(until);
}

/// True once something has come; false `budget` ticks later, or at `until`.
bool Reactor::Algorithm::look_for(std::uint64_t budget, const SteadyTime& until) noexcept {
  const std::uint64_t begin = base::ticks();
  const std::uint64_t alone = base::ticks_per_us() * base::kSpinAloneUs;
  for (std::uint64_t now = begin; now - begin < budget; now = base::ticks()) {
    for (int i = 0; i < 16; ++i) {
      if (poll_sources() || ready()) return true;
      base::spin_pause();
    }
    if (now - begin > alone) ::sched_yield();
    if (std::chrono::steady_clock::now() >= until) return false;
  }
  return false;
}

/// The same with rests, in which others are told what they would be told before a sleep, and descriptors are looked at.
bool Reactor::Algorithm::busy_poll(const SteadyTime& until) noexcept {
  const std::uint64_t glance = base::ticks_per_us() * base::kGlanceUs;
  const std::uint64_t begin = base::ticks();
  while (base::ticks() - begin < busy_poll_ticks() && std::chrono::steady_clock::now() < until) {
    if (rest(0) || look_for(glance, until)) return true;
  }
  return false;
}

/// Of the source that asks for most.
std::uint64_t Reactor::Algorithm::busy_poll_ticks() const noexcept {
  std::uint64_t most_ns = 0;
  for (const Attached& each : sources_) most_ns = std::max(most_ns, each.source->busy_poll_ns());
  return ticks_of(most_ns);
}

void Reactor::Algorithm::sleep(const SteadyTime& until) noexcept {
  std::uint64_t timeout = kNever;
  if (until != SteadyTime::max()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::nanoseconds>(until - std::chrono::steady_clock::now());
    timeout = static_cast<std::uint64_t>(std::max<std::int64_t>(0, left.count()));
  }
  static_cast<void>(rest(timeout));
}

/// Waits in epoll with all sources armed, for no time if something has come meanwhile. True if something has come by its
/// end, of which only this thread's dispatcher may know.
bool Reactor::Algorithm::rest(std::uint64_t timeout_ns) noexcept {
  // Relaxed: the fence below orders it.
  asleep_.store(true, base::relaxed);
  // SYNC reactor-notify: asleep_ stands before the look at notified_; pairs with the fence in notify().
  base::full_fence();
  std::size_t armed = 0;
  bool quiet = !notified_.exchange(false, base::relaxed);
  while (quiet && armed < sources_.size()) quiet = sources_[armed++].source->arm();
  if (quiet && ready_count_ == 0) {
    const std::uint64_t begin = base::now_ns();
    wait(timeout_ns);
    if (timeout_ns != 0) {
      ++sleeps_;
      reactor_.spun(base::now_ns() - begin < spin_limit_ns_);
    }
  }
  // Relaxed: who still reads the older asleep_ rings once for nothing; what notified_ told of is looked for from here on.
  asleep_.store(false, base::relaxed);
  const bool told = notified_.exchange(false, base::relaxed);
  for (std::size_t i = 0; i < armed; ++i) sources_[i].source->disarm();
  return poll_sources() || told || !quiet || ready_count_ != 0;
}

void Reactor::Algorithm::wait(std::uint64_t timeout_ns) noexcept {
  std::array<epoll_event, 32> events;
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(timeout_ns / 1'000'000'000U);
  timeout.tv_nsec = static_cast<long>(timeout_ns % 1'000'000'000U);
  const int count = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   timeout_ns == kNever ? nullptr : &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    // Bells carry no tag: they only end the sleep. The others are fibers that wait for a descriptor.
    if (const void* const tag = events[static_cast<std::size_t>(i)].data.ptr)
      static_cast<const Waker*>(tag)->wake();
  }
}

void pass_forced_unwind() {
  try {
    throw;
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

void Waker::wake() const noexcept {
  if (context_ != nullptr) fibers::waker{static_cast<fibers::context*>(context_), epoch_}.wake();
}

Reactor& Reactor::current() {
  Reactor* const reactor = try_current();
  WEFT_CHECK(reactor != nullptr, "a reactor needs two descriptors: raise RLIMIT_NOFILE (ulimit -n)");
  return *reactor;
}

Reactor* Reactor::try_current() {
  if (tls_reactor == nullptr) [[unlikely]] {
    Descriptors opened = open();
    if (!opened) return nullptr;
    return &current(std::move(opened));
  }
  return tls_reactor;
}

Reactor::Descriptors Reactor::open() noexcept {
  Descriptors opened{base::UniqueFd{::epoll_create1(EPOLL_CLOEXEC)}, {}};
  if (opened.epoll) opened.bell.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return opened;
}

void Reactor::prepare() { static_cast<void>(fibers::context::active()); }

Reactor& Reactor::current(Descriptors with) {
  if (tls_reactor == nullptr) {
    fibers::context::active()->get_scheduler()->set_algo(
        fibers::algo::algorithm::ptr_t{new Algorithm{std::move(with.epoll), std::move(with.bell)}});
  }
  return *tls_reactor;
}

const void* Reactor::fiber_id() noexcept { return fibers::context::active(); }
bool Reactor::exists() noexcept { return tls_reactor != nullptr; }

void Reactor::attach(Source& source, int fd, std::uint64_t id) {
  auto& sources = algorithm_.sources_;
  const auto found =
      std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s.source == &source; });
  if (found != sources.end()) {
    ++found->uses;
    return;
  }
  sources.push_back({&source, 1});
  algorithm_.watch_bell(fd, id);
}

void Reactor::detach(Source& source) noexcept {
  auto& sources = algorithm_.sources_;
  const auto found =
      std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s.source == &source; });
  WEFT_CHECK(found != sources.end(), "detach without attach");
  if (--found->uses == 0) sources.erase(found);
}

bool Reactor::others_ready() const noexcept { return algorithm_.ready_count_ != 0; }

bool Reactor::alone() noexcept {
  if (algorithm_.ready_count_ != 0 || !algorithm_.sources_.empty()) return false;
  // Relaxed: what comes just now is found at the next look.
  if (!algorithm_.notified_.load(base::relaxed)) [[likely]]
    return true;
  // Perhaps only of a wake-up that this thread has already seen; the dispatcher finds out. Relaxed: as in ready().
  static_cast<void>(algorithm_.notified_.exchange(false, base::relaxed));
  yield();
  return algorithm_.ready_count_ == 0;
}

Waker Reactor::waker() noexcept {
  fibers::context* const active = fibers::context::active();
  static_cast<void>(active->create_waker());
  // Relaxed: this thread has just written it.
  algorithm_.waker_epoch_ = active->waker_epoch_.load(std::memory_order_relaxed);
  return Waker{active, algorithm_.waker_epoch_};
}

void Reactor::suspend(std::uint64_t deadline_ns) noexcept {
  fibers::context* const active = fibers::context::active();
  if (deadline_ns == kNever) {
    active->suspend();
    return;
  }
  fibers::detail::spinlock unneeded;
  fibers::detail::spinlock_lock lock{unneeded};
  // The waker's epoch, and not what it is by now: with that the deadline could wake the fiber although the waker has
  // been used by another thread, which is just about to hand it over. It would be made ready twice.
  active->wait_until(steady_time(deadline_ns), lock, fibers::waker{active, algorithm_.waker_epoch_});
}

void Reactor::sleep_until(std::uint64_t deadline_ns) noexcept {
  static_cast<void>(waker());
  suspend(deadline_ns);
}

void Reactor::yield() noexcept { boost::this_fiber::yield(); }

void Reactor::spawn(std::function<void()> body, std::size_t stack_bytes) {
  fibers::fiber{fibers::launch::post, std::allocator_arg, fibers::protected_fixedsize_stack{stack_bytes},
                std::move(body)}
      .detach();
}

bool Reactor::wait_fd(int fd, std::uint32_t events, std::uint64_t deadline_ns) {
  const Waker waker_on_stack = waker();
  epoll_event event{};
  event.events = events | EPOLLONESHOT;
  event.data.ptr = const_cast<Waker*>(&waker_on_stack);
  base::UniqueFd twin;
  int watched = fd;
  int done = ::epoll_ctl(algorithm_.epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  if (done != 0 && errno == EEXIST) {
    // Another fiber waits for it too; epoll wants a descriptor each.
    twin.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    watched = twin.get();
    done = ::epoll_ctl(algorithm_.epoll_.get(), EPOLL_CTL_ADD, watched, &event);
  }
  // A regular file, or nothing that can be waited for: the read or write itself will tell.
  if (done != 0) return true;
  ++algorithm_.fds_watched_;
  suspend(deadline_ns);
  --algorithm_.fds_watched_;
  ::epoll_ctl(algorithm_.epoll_.get(), EPOLL_CTL_DEL, watched, nullptr);
  pollfd state{fd, static_cast<short>(events), 0};
  return ::poll(&state, 1, 0) > 0;
}

bool Reactor::wait_readable(int fd, std::uint64_t deadline_ns) { return wait_fd(fd, EPOLLIN, deadline_ns); }
bool Reactor::wait_writable(int fd, std::uint64_t deadline_ns) { return wait_fd(fd, EPOLLOUT, deadline_ns); }

int Reactor::watch_fd(int fd, bool writable, const Waker& waker) noexcept {
  const int twin = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (twin < 0) return -1;
  epoll_event event{};
  event.events = (writable ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT;
  event.data.ptr = const_cast<Waker*>(&waker);
  if (::epoll_ctl(algorithm_.epoll_.get(), EPOLL_CTL_ADD, twin, &event) != 0) {
    const int error = errno;
    ::close(twin);
    errno = error;
    return -1;
  }
  ++algorithm_.fds_watched_;
  return twin;
}

void Reactor::forget_fd(int twin) noexcept {
  --algorithm_.fds_watched_;
  // The file may live on elsewhere, and would then be watched on.
  ::epoll_ctl(algorithm_.epoll_.get(), EPOLL_CTL_DEL, twin, nullptr);
  ::close(twin);
}

void Reactor::set_spin_limit(std::uint64_t ns) noexcept {
  if (ns == algorithm_.spin_limit_ns_) return;
  algorithm_.spin_limit_ns_ = ns;
  algorithm_.set_spin(ns);
}

std::uint64_t Reactor::spin_ticks() const noexcept { return algorithm_.spin_ticks_; }

void Reactor::spun(bool worth) noexcept {
  // Multiplicative both ways: a few wasted spins bring it down to the floor, a few useful ones up again.
  const std::uint64_t limit = algorithm_.spin_limit_ns_;
  const std::uint64_t floor = std::min<std::uint64_t>(limit, base::kSpinNsMin);
  const std::uint64_t now = algorithm_.spin_ns_;
  const std::uint64_t next = worth ? std::min(limit, now * 2 + 1) : std::max(floor, now / 2);
  if (next != now) algorithm_.set_spin(next);
}

std::uint64_t Reactor::sleeps() const noexcept { return algorithm_.sleeps_; }

}  // namespace weft::fiber
