#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <weft/detail/submitter.hpp>
#include <weft/export.hpp>

namespace weft {

class Pool;

/// One worker of a pool, for a series of tasks that belong together: they run there, in order, and nothing else does.
///
///   weft::Lease lease = pool.lease();
///   lease.submit<load>("model").get();
///   auto answer = lease.submit<ask>("why");
///
/// Owner: the program; moves; may outlive the pool. Letting go of it gives the worker back, once it has done what it was
/// given. Threads: any may submit. Crash: of the worker: what it had begun fails as anywhere, the rest with Closed.
class WEFT_EXPORT Lease : public detail::Submitter<Lease, detail::Routed::yes> {
 public:
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  /// TaskScope::worker_id() of its tasks.
  [[nodiscard]] std::uint64_t worker_id() const noexcept { return route_.worker; }
  /// The process; 0 after its end.
  [[nodiscard]] std::int64_t pid() const;

 private:
  friend class detail::Submitter<Lease, detail::Routed::yes>;
  friend class Pool;
  Lease(std::shared_ptr<work::PoolCore> core, std::uint64_t worker)
      : core_{std::move(core)}, route_{.worker = worker} {}
  /// Throws Closed if this was moved from.
  [[nodiscard]] work::PoolCore& core() const;
  [[nodiscard]] static const TaskOptions* task_options() noexcept { return nullptr; }
  [[nodiscard]] const detail::Route& route() const noexcept { return route_; }

  std::shared_ptr<work::PoolCore> core_;
  detail::Route route_;
};

}  // namespace weft
