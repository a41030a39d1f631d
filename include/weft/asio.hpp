#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <weft/execution.hpp>

// Executions in Boost.Asio's event loops, with any completion token. Not part of weft/weft.hpp: it needs Asio's headers.
//
// The completion handler runs on the token's associated executor, never inside the function that starts the wait. The
// execution context has work until then, so that run() does not return; it must outlive the wait. A cancellation slot
// cancels the wait, not the task: whatever became of the execution can still be had.

namespace weft {

namespace detail {

/// One wait. Kept by the execution's callback and the cancellation slot. Threads: begins and is cancelled on the
/// handler's executor, settles on any.
template <class Handler, class Source, class Deliver>
class AsioWait : public std::enable_shared_from_this<AsioWait<Handler, Source, Deliver>> {
 public:
  AsioWait(Handler handler, Source source)
      : source_{std::move(source)},
        slot_{boost::asio::get_associated_cancellation_slot(handler)},
        work_{boost::asio::make_work_guard(boost::asio::get_associated_executor(handler))},
        handler_{std::move(handler)} {}

  void begin() {
    const auto self = this->shared_from_this();
    if (slot_.is_connected()) {
      slot_.assign([weak = self->weak_from_this()](boost::asio::cancellation_type type) {
        const auto wait = weak.lock();
        if (wait && type != boost::asio::cancellation_type::none) wait->cancel();
      });
    }
    if (!handle().when_settled(this, [self] { self->complete({}); })) complete({});
  }

 private:
  CallHandle& handle() { return HandleOf::get(source_.execution()); }

  void cancel() {
    // Whoever takes the callback away completes the wait; if it is gone, it does so itself.
    const auto self = this->shared_from_this();
    if (handle().forget(this)) complete(boost::asio::error::operation_aborted);
  }

  void complete(boost::system::error_code error) {
    auto executor = work_.get_executor();
    boost::asio::post(executor, [self = this->shared_from_this(), error]() mutable {
      self->slot_.clear();
      Handler handler{std::move(self->handler_)};
      Source source{std::move(self->source_)};
      auto work = std::move(self->work_);
      self.reset();  // memory is given back before the handler runs, as Asio promises
      Deliver::to(std::move(handler), source.execution(), error);
    });
  }

  Source source_;
  boost::asio::associated_cancellation_slot_t<Handler> slot_;
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work_;
  Handler handler_;
};

/// An execution of the caller's, who keeps it in its place.
template <class R>
class LentExecution {
 public:
  explicit LentExecution(Execution<R>& execution) noexcept : execution_{&execution} {}
  Execution<R>& execution() noexcept { return *execution_; }

 private:
  Execution<R>* execution_;
};

/// One that the wait keeps itself.
template <class R>
class KeptExecution {
 public:
  explicit KeptExecution(Execution<R>&& execution) noexcept : execution_{std::move(execution)} {}
  Execution<R>& execution() noexcept { return execution_; }

 private:
  Execution<R> execution_;
};

template <class R>
LentExecution<R> source_of(Execution<R>& execution) noexcept {
  return LentExecution<R>{execution};
}
template <class R>
KeptExecution<R> source_of(Execution<R>&& execution) noexcept {
  return KeptExecution<R>{std::move(execution)};
}

template <class Deliver>
struct StartAsioWait {
  template <class Handler, class Source>
  void operator()(Handler&& handler, Source source) const {
    using Wait = AsioWait<std::decay_t<Handler>, Source, Deliver>;
    std::make_shared<Wait>(std::forward<Handler>(handler), std::move(source))->begin();
  }
};

struct DeliverNothing {
  template <class Handler, class R>
  static void to(Handler&& handler, Execution<R>&, boost::system::error_code error) {
    std::move(handler)(error);
  }
};

struct DeliverValue {
  template <class Handler, class R>
  static void to(Handler&& handler, Execution<R>& execution, boost::system::error_code error) {
    std::exception_ptr failure;
    if (error) failure = std::make_exception_ptr(boost::system::system_error{error});
    if constexpr (std::is_void_v<R>) {
      try {
        if (!failure) execution.get();
      } catch (...) {
        failure = std::current_exception();
      }
      std::move(handler)(failure);
    } else {
      R value{};
      try {
        if (!failure) value = execution.get();
      } catch (...) {
        failure = std::current_exception();
      }
      std::move(handler)(failure, std::move(value));
    }
  }
};

template <class R>
struct ValueSignature {
  using type = void(std::exception_ptr, R);
};
template <>
struct ValueSignature<void> {
  using type = void(std::exception_ptr);
};

template <class T>
using ResultOfExecution = typename std::remove_reference_t<T>::Result;

}  // namespace detail

/// Completes with `void(boost::system::error_code)` once the execution has settled, whatever with: get() does not wait
/// then. The code is operation_aborted if the wait was cancelled. An execution that is passed by name stays the caller's,
/// who must keep it in its place.
template <class Execution_, class CompletionToken>
auto async_wait(Execution_&& execution, CompletionToken&& token) {
  return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
      detail::StartAsioWait<detail::DeliverNothing>{}, token,
      detail::source_of(std::forward<Execution_>(execution)));
}

/// Completes with the value: `void(std::exception_ptr, R)`, or `void(std::exception_ptr)` of an Execution<void>. With
/// use_awaitable and use_future it is returned, or the failure thrown; a cancelled wait fails with a
/// boost::system::system_error of operation_aborted.
///
///   const std::string page = co_await weft::async_get(pool.submit<fetch>(url), boost::asio::use_awaitable);
///
/// An execution that is passed by name stays the caller's, who must keep it in its place.
template <class Execution_, class CompletionToken>
auto async_get(Execution_&& execution, CompletionToken&& token) {
  using R = detail::ResultOfExecution<Execution_>;
  static_assert(
      std::is_void_v<R> || std::is_default_constructible_v<R>,
      "weft: async_get needs a value to pass beside a failure, and this one has no default constructor: use "
      "async_wait, and then get()");
  return boost::asio::async_initiate<CompletionToken, typename detail::ValueSignature<R>::type>(
      detail::StartAsioWait<detail::DeliverValue>{}, token,
      detail::source_of(std::forward<Execution_>(execution)));
}

}  // namespace weft
