#pragma once

#include <weft/execution.hpp>

// co_await execution. For compilers that have C++20's coroutines: GCC, and Clang from 15 on.
#ifdef __cpp_impl_coroutine

#include <coroutine>

namespace weft {

namespace detail {

/// What a coroutine waits on: the rest of it is one of the callbacks that run when the call has settled.
template <class R>
class Awaiter {
 public:
  explicit Awaiter(Execution<R>& execution) noexcept : execution_{execution} {}
  /// Where the coroutine is destroyed while it waits, nobody resumes it.
  ~Awaiter() {
    if (is_suspended_) HandleOf::get(execution_).forget(this);
  }
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;

  [[nodiscard]] bool await_ready() const { return execution_.ready(); }
  bool await_suspend(std::coroutine_handle<> waiting) {
    is_suspended_ = true;
    // Another thread may resume it before this returns, so nothing of this object may be looked at afterwards.
    return HandleOf::get(execution_).when_settled(this, [waiting] { waiting.resume(); });
  }
  R await_resume() {
    is_suspended_ = false;
    return execution_.get();
  }

 private:
  Execution<R>& execution_;
  bool is_suspended_ = false;
};

}  // namespace detail

/// `co_await execution`, in a coroutine of any type: gives what get() gives, and throws what it throws.
///
/// Threads: where the result is there already the coroutine goes on at once; else on the thread that happens to read it:
/// one that waits for executions of the same pool, or weft's own. So until its next co_await the coroutine is under the
/// rules of Execution::then(): short, and waiting for executions by co_await alone. Who wants it on a thread of their own
/// sends it there, or uses Boost.Asio (weft/asio.hpp). A coroutine that is destroyed while it waits is not resumed; the
/// execution goes on. That must not happen while another thread may just be resuming it.
template <class R>
detail::Awaiter<R> operator co_await(Execution<R>& execution) noexcept {
  return detail::Awaiter<R>{execution};
}
template <class R>
detail::Awaiter<R> operator co_await(Execution<R>&& execution) noexcept {
  return detail::Awaiter<R>{execution};
}

}  // namespace weft

#endif
