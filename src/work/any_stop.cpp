#include <utility>
#include <vector>
#include <weft/stop.hpp>

#include "base/clock.hpp"
#include "process/forked.hpp"
#include "work/attendant.hpp"

namespace weft {

/// Has a source of its own, which each callback and the timer keep too: one that is just running may end after this.
struct AnyStop::State {
  struct Request {
    std::stop_source source;
    void operator()() noexcept { source.request_stop(); }
  };
  using Callback = std::stop_callback<Request>;

  State(std::span<const std::stop_token> others, std::uint64_t deadline_ns) {
    callbacks.reserve(others.size());
    for (const std::stop_token& other : others) {
      if (other.stop_possible()) callbacks.push_back(std::make_unique<Callback>(other, Request{source}));
    }
    if (deadline_ns == detail::kNever || source.stop_requested()) return;
    if (base::now_ns() >= deadline_ns) {
      source.request_stop();
    } else {
      timer = work::Attendant::get().at(deadline_ns, Request{source});
    }
  }
  ~State() {
    if (timer && !process::in_forked_child()) work::Attendant::get().cancel(timer);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::stop_source source;
  std::vector<std::unique_ptr<Callback>> callbacks;
  work::Attendant::Timer timer;
};

AnyStop::AnyStop(std::span<const std::stop_token> others, std::uint64_t deadline_ns)
    : state_{std::make_unique<State>(others, deadline_ns)} {}
AnyStop::AnyStop(AnyStop&&) noexcept = default;
AnyStop& AnyStop::operator=(AnyStop&&) noexcept = default;
AnyStop::~AnyStop() = default;

std::stop_token AnyStop::get_token() const noexcept {
  return state_ ? state_->source.get_token() : std::stop_token{};
}

}  // namespace weft
