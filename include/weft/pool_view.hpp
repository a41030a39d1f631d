#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <weft/detail/submitter.hpp>
#include <weft/export.hpp>
#include <weft/task_options.hpp>

namespace weft {

class Pool;

/// What one submitter's share of a pool is: for Pool::view(), for as long as the view lives.
struct ViewOptions {
  /// So many of its tasks may be with workers at a time. 0: as many as the pool likes.
  std::size_t limit = 0;
  /// What holds for tasks that are submitted without with().
  std::optional<TaskOptions> task = std::nullopt;
};

/// A pool's workers for one of several submitters. Where tasks have to wait, those of each view and those of the pool itself
/// take turns, so that who submits thousands holds up nobody else.
///
/// Owner: the program; moves; may outlive the pool. Tasks that were submitted stay when it goes. Threads: any may submit.
class WEFT_EXPORT PoolView : public detail::Submitter<PoolView, detail::Routed::yes> {
 public:
  PoolView(PoolView&& other) noexcept = default;
  PoolView& operator=(PoolView&& other) noexcept;
  ~PoolView();

 private:
  friend class detail::Submitter<PoolView, detail::Routed::yes>;
  friend class Pool;
  PoolView(std::shared_ptr<work::PoolCore> core, const ViewOptions& options);
  /// Throws Closed if this was moved from.
  [[nodiscard]] work::PoolCore& core() const;
  [[nodiscard]] const TaskOptions* task_options() const noexcept { return task_ ? &*task_ : nullptr; }
  [[nodiscard]] const detail::Route& route() const noexcept { return route_; }

  std::shared_ptr<work::PoolCore> core_;
  std::optional<TaskOptions> task_;
  detail::Route route_;
};

}  // namespace weft
