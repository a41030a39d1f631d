#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace weft::link {

/// Descriptors that have come from a peer, until a frame names them. They are numbered in the order of the frames that name
/// them, so that whoever takes one knows that no frame will name those before it: their frames were taken back.
/// Owner: an Exchange.
class FileShelf {
 public:
  /// A message came with `count` descriptors, numbered from `first` on; those that this process could not hold are
  /// missing at the end of `files`. Faults: violation.
  base::Result<void> put(std::uint64_t first, std::uint32_t count, std::vector<base::UniqueFd> files) {
    if (first != next_ || count == 0 || files.size() > count)
      return base::Fault::violation("descriptors came that do not follow the last ones");
    if (count > base::kDescriptorsUnderWayMax ||
        files_.size() + count > std::size_t{2} * base::kDescriptorsUnderWayMax)
      return base::Fault::violation("the peer sends descriptors that no frame names");
    files.resize(count);
    for (base::UniqueFd& file : files) {
      if (next_++ >= taken_) files_.push_back(std::move(file));
    }
    return {};
  }
  [[nodiscard]] bool has_come(std::uint64_t number) const noexcept { return number < next_; }
  /// The one of that number, and no more of those before it. Faults: violation.
  base::Result<base::UniqueFd> take(std::uint64_t number) {
    if (!has_come(number) || number < taken_)
      return base::Fault::violation("a frame names a descriptor that did not come, or was taken before");
    drop_below(number);
    base::UniqueFd file = std::move(files_.front());
    drop_below(number + 1);
    return file;
  }
  /// No frame will name those below `number`, come or yet to come.
  void drop_below(std::uint64_t number) noexcept {
    for (; taken_ < number && !files_.empty(); ++taken_) files_.pop_front();
    if (taken_ < number) taken_ = number;
  }
  [[nodiscard]] std::size_t size() const noexcept { return files_.size(); }

 private:
  std::uint64_t next_ = 1;            ///< number of the next that comes
  std::uint64_t taken_ = 1;           ///< those below are gone
  std::deque<base::UniqueFd> files_;  ///< from taken_ up to next_, if there are any
};

/// How many descriptors are on their way to a peer: sent, and their frames not read yet.
/// Owner: an Exchange.
class FilesUnderWay {
 public:
  [[nodiscard]] bool has_room(std::size_t count, std::uint64_t consumed) noexcept {
    while (!frames_.empty() && frames_.front().position < consumed) {
      count_ -= frames_.front().count;
      frames_.pop_front();
    }
    return count_ + count <= base::kDescriptorsUnderWayMax;
  }
  /// Their frame will be at `position`. Gives the number of the first.
  std::uint64_t add(std::uint32_t count, std::uint64_t position) {
    frames_.push_back({position, count});
    count_ += count;
    return std::exchange(next_, next_ + count);
  }
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

 private:
  struct Sent {
    std::uint64_t position;
    std::uint32_t count;
  };
  std::deque<Sent> frames_;
  std::size_t count_ = 0;
  std::uint64_t next_ = 1;
};

}  // namespace weft::link
