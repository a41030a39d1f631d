#include "work/attendant.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>
#include <thread>
#include <weft/error.hpp>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "process/forked.hpp"
#include "process/signals.hpp"
#include "work/initialized.hpp"

namespace weft::work {

namespace {

thread_local bool on_attendant = false;

}  // namespace

Attendant& Attendant::get() {
  require_unforked();
  // Never destroyed: its thread runs until the process ends.
  static Attendant& the_attendant = *new Attendant{"weft-attendant"};
  return the_attendant;
}

Attendant& Attendant::reader() {
  require_unforked();
  static Attendant& the_reader = *new Attendant{"weft-output"};
  return the_reader;
}

bool Attendant::is_current() noexcept { return on_attendant; }

Attendant::Attendant(const char* name)
    : name_{name}, epoll_{::epoll_create1(EPOLL_CLOEXEC)}, bell_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  if (!epoll_ || !bell_)
    throw Exhausted{std::string{"no descriptor for weft's attendant: "} + std::strerror(errno) +
                    "; raise RLIMIT_NOFILE (ulimit -n)"};
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = 0;
  WEFT_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, bell_.get(), &event) == 0,
             "epoll_ctl refused an eventfd");
  process::watch_forks();
  const process::BlockedSignals blocked;
  try {
    std::thread{[this] { run(); }}.detach();
  } catch (const std::system_error& error) {
    throw Exhausted{std::string{"no thread for weft's attendant: "} + error.what() +
                    "; raise RLIMIT_NPROC (ulimit -u)"};
  }
}

std::uint64_t Attendant::watch(int fd, bool edge, Handler handler) {
  const std::lock_guard guard{mutex_};
  const std::uint64_t id = ++last_id_;
  handlers_.emplace(id, std::make_shared<Handler>(std::move(handler)));
  epoll_event event{};
  event.events = edge ? EPOLLIN | EPOLLET : EPOLLIN;
  event.data.u64 = id;
  WEFT_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl refused a descriptor");
  return id;
}

void Attendant::forget(std::uint64_t id, int fd) {
  const std::lock_guard guard{mutex_};
  if (handlers_.erase(id) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Attendant::post(Handler handler) {
  {
    const std::lock_guard guard{mutex_};
    posted_.push_back(std::move(handler));
  }
  ring();
}

Attendant::Timer Attendant::at(std::uint64_t deadline_ns, Handler handler) {
  Timer timer{deadline_ns, 0};
  bool first = false;
  {
    const std::lock_guard guard{mutex_};
    timer.id = ++last_id_;
    timers_.emplace(timer, std::move(handler));
    first = timers_.begin()->first == timer;
  }
  if (first && !on_attendant) ring();
  return timer;
}

void Attendant::cancel(Timer& timer) {
  // Before the lock, so that it is destroyed after it: what a handler holds may call back.
  decltype(timers_)::node_type gone;
  const std::lock_guard guard{mutex_};
  gone = timers_.extract(timer);
  timer = {};
}

void Attendant::ring() noexcept {
  const std::uint64_t one = 1;
  while (::write(bell_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

int Attendant::next_timeout_ms() {
  const std::lock_guard guard{mutex_};
  if (!posted_.empty()) return 0;
  if (timers_.empty()) return -1;
  const std::uint64_t now = base::now_ns();
  const std::uint64_t due = timers_.begin()->first.deadline_ns;
  if (due <= now) return 0;
  const std::uint64_t ms = (due - now) / 1'000'000 + 1;
  return ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
}

void Attendant::run_posted() {
  std::vector<Handler> due;
  {
    const std::lock_guard guard{mutex_};
    // One at a time: a worker that is ready need not wait until all that were wanted with it have been started.
    if (!posted_.empty()) {
      due.push_back(std::move(posted_.front()));
      posted_.pop_front();
    }
    const std::uint64_t now = base::now_ns();
    while (!timers_.empty() && timers_.begin()->first.deadline_ns <= now) {
      due.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
  }
  for (const Handler& handler : due) handler();
}

void Attendant::run() noexcept {
  on_attendant = true;
  ::pthread_setname_np(::pthread_self(), name_);
  for (;;) {
    run_posted();
    std::array<epoll_event, 64> events;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), next_timeout_ms());
    for (int i = 0; i < count; ++i) {
      std::shared_ptr<Handler> handler;
      {
        const std::lock_guard guard{mutex_};
        const auto found = handlers_.find(events[static_cast<std::size_t>(i)].data.u64);
        if (found != handlers_.end()) handler = found->second;
      }
      if (handler) (*handler)();
    }
  }
}

}  // namespace weft::work
