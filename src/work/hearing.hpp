#pragma once

#include <exception>
#include <mutex>

namespace weft::work {

/// Whether somebody has heard of a call's failure, of a call with callbacks. The last one to let go of it tells
/// on_unheard_failure(), if nobody has.
///
/// Owner: the call, until its Execution is gone. Threads: any; destroyed under no lock.
class Hearing {
 public:
  Hearing() = default;
  Hearing(const Hearing&) = delete;
  Hearing& operator=(const Hearing&) = delete;
  ~Hearing();

  void heard() noexcept;
  void unheard(std::exception_ptr failure) noexcept;

 private:
  std::mutex mutex_;  // guards all below
  std::exception_ptr failure_;
  bool heard_ = false;
};

}  // namespace weft::work
