#include "work/callback.hpp"

#include <cstdio>
#include <utility>
#include <weft/error.hpp>

#include "work/attendant.hpp"

namespace weft::work {

namespace {

thread_local bool in_callback = false;

}  // namespace

void run_callback(const std::function<void()>& callback) {
  const bool was_in_callback = std::exchange(in_callback, true);
  try {
    callback();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "weft: a callback of an Execution threw %s: catch it there\n", error.what());
  }
  in_callback = was_in_callback;
}

void require_may_wait() {
  if (in_callback || Attendant::is_current()) {
    throw Error{
        "a callback of an Execution waits for another: it would wait for itself; submit there, and wait "
        "elsewhere",
        {}};
  }
}

}  // namespace weft::work
