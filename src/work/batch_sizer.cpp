#include <algorithm>
#include <weft/detail/mapping.hpp>

#include "base/clock.hpp"
#include "base/limits.hpp"

namespace weft::detail {

BatchSizer::BatchSizer(std::size_t fixed, std::size_t most, std::size_t workers) noexcept
    : fixed_{fixed != 0}, most_{most}, workers_{workers}, size_{fixed_ ? std::min(fixed, most) : 1} {}

std::size_t BatchSizer::next(std::optional<std::size_t> left) const noexcept {
  if (fixed_) return size_;
  const std::size_t share = left ? *left / (2 * workers_) : size_;
  return std::clamp<std::size_t>(std::min(size_, share), 1, most_);
}

void BatchSizer::done(std::size_t items) noexcept {
  if (fixed_) return;
  const std::uint64_t now = base::now_ns();
  if (since_ns_ == 0) {  // the first one had to wait for a worker to start
    since_ns_ = now;
    return;
  }
  items_ += items;
  ++tasks_;
  if (tasks_ < in_flight()) return;
  const std::uint64_t each_ns = std::max<std::uint64_t>((now - since_ns_) * workers_ / items_, 1);
  const auto wanted = static_cast<std::size_t>(base::kBatchNs / each_ns);
  // A few quick ones do not make all the others quick.
  size_ = std::clamp<std::size_t>(wanted, 1, size_ * 4);
  tasks_ = 0;
  items_ = 0;
  since_ns_ = now;
}

}  // namespace weft::detail
