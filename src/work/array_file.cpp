#include "work/array_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>

namespace weft::work {

namespace {

constexpr std::uint64_t kPageBytes = 4096;  // of every page; larger ones are whole pages of this size too
constexpr std::uint64_t kGrowthBytes = 256 * 1024;

}  // namespace

bool ArrayFile::begin() noexcept {
  if (!write("[\n]\n", 0)) return false;
  position_ = 1;
  bracket_ = 2;
  return true;
}

bool ArrayFile::append(std::string_view elements) {
  if (is_empty_ && !elements.empty()) {
    elements.remove_prefix(1);  // no comma before the first
    is_empty_ = false;
  }
  while (!elements.empty()) {
    // As many as fit the page; one alone is written whatever it takes.
    const auto end_of = [&](std::size_t from) {
      return std::min(elements.find(",\n", from), elements.size());
    };
    const std::uint64_t room = kPageBytes - position_ % kPageBytes;
    std::size_t bytes = end_of(1);
    if (bytes > room && bytes <= kPageBytes) {
      position_ += room;
      continue;
    }
    while (bytes < elements.size() && end_of(bytes + 1) <= room) bytes = end_of(bytes + 1);
    if (position_ + bytes >= bracket_ && !grow(position_ + bytes)) return false;
    if (!write(elements.substr(0, bytes), position_)) return false;
    position_ += bytes;
    elements.remove_prefix(bytes);
  }
  return true;
}

/// The end goes to beyond `bytes`.
bool ArrayFile::grow(std::uint64_t bytes) {
  const std::uint64_t bracket = (bytes / kGrowthBytes + 1) * kGrowthBytes;
  const std::string space(static_cast<std::size_t>(bracket - bracket_), ' ');
  if (!write(space, bracket_ + 1)) return false;
  if (!write(" ", bracket_) || !write("]", bracket)) return false;
  bracket_ = bracket;
  return true;
}

bool ArrayFile::trim() noexcept {
  // Where a page was left for the next, its rest is whitespace.
  position_ = std::min(position_, bracket_);
  if (::ftruncate(file_.get(), static_cast<off_t>(position_)) != 0 || !write("\n]\n", position_))
    return false;
  bracket_ = position_ + 1;
  return true;
}

bool ArrayFile::write(std::string_view text, std::uint64_t at) const noexcept {
  while (!text.empty()) {
    const ssize_t done = ::pwrite(file_.get(), text.data(), text.size(), static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
    at += static_cast<std::uint64_t>(done);
  }
  return true;
}

}  // namespace weft::work
