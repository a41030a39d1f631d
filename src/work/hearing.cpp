#include "work/hearing.hpp"

#include <cstdio>
#include <functional>
#include <memory>
#include <utility>
#include <weft/execution.hpp>

namespace weft {

namespace {

using Handler = std::function<void(const std::exception_ptr&)>;

void print(const std::exception_ptr& failure) {
  const char* const lead = "weft: a task failed, and neither a get() nor a fail<E>() was there for it";
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", lead, error.what());
  } catch (...) {
    std::fprintf(stderr, "%s\n", lead);
  }
}

std::mutex handler_mutex;
std::shared_ptr<const Handler> handler;  // null: print()

}  // namespace

void on_unheard_failure(Handler other) {
  auto made = other ? std::make_shared<const Handler>(std::move(other)) : nullptr;
  const std::lock_guard guard{handler_mutex};
  handler.swap(made);
}

namespace work {

Hearing::~Hearing() {
  if (heard_ || failure_ == nullptr) return;
  std::shared_ptr<const Handler> told;
  {
    const std::lock_guard guard{handler_mutex};
    told = handler;
  }
  told ? (*told)(failure_) : print(failure_);
}

void Hearing::heard() noexcept {
  const std::lock_guard guard{mutex_};
  heard_ = true;
}

void Hearing::unheard(std::exception_ptr failure) noexcept {
  const std::lock_guard guard{mutex_};
  if (failure_ == nullptr) failure_ = std::move(failure);
}

}  // namespace work

}  // namespace weft
