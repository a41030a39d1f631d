// What a pool gives out of itself: leases of one worker, and views.

#include <weft/error.hpp>
#include <weft/lease.hpp>
#include <weft/pool_view.hpp>

#include "process/forked.hpp"
#include "work/initialized.hpp"
#include "work/pool_core.hpp"

namespace weft {

Lease& Lease::operator=(Lease&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(route_, other.route_);
  return *this;
}

Lease::~Lease() {
  if (core_ && !process::in_forked_child()) core_->end_lease(route_.worker);
}

std::int64_t Lease::pid() const {
  work::require_unforked();
  return core_ ? core_->pid_of(route_.worker) : 0;
}

work::PoolCore& Lease::core() const {
  if (!core_) throw Closed{"this lease was moved from"};
  return *core_;
}

PoolView::PoolView(std::shared_ptr<work::PoolCore> core, const ViewOptions& options)
    : core_{std::move(core)}, task_{options.task} {
  work::require_unforked();
  if (task_) static_cast<void>(work::terms_of(*task_));
  route_.share = &core_->add_share(options.limit);
}

PoolView& PoolView::operator=(PoolView&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(task_, other.task_);
  std::swap(route_, other.route_);
  return *this;
}

PoolView::~PoolView() {
  if (core_ && !process::in_forked_child()) core_->release_share(*route_.share);
}

work::PoolCore& PoolView::core() const {
  if (!core_) throw Closed{"this view was moved from"};
  return *core_;
}

}  // namespace weft
