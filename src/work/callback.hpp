#pragma once

#include <functional>

namespace weft::work {

/// Runs a callback of the program's, which must not wait; what it throws is printed. Threads: any, outside all locks.
void run_callback(const std::function<void()>& callback);

/// Throws Error where a callback wants to wait: it may run between two fibers, where there is none to suspend, or on the
/// attendant's thread, which all others count on.
void require_may_wait();

}  // namespace weft::work
