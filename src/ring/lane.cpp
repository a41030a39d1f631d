#include "ring/lane.hpp"

#include <cstring>
#include <string>

namespace weft::ring {

namespace {

LaneView view_of(std::byte* memory, const LaneHeader& header) noexcept {
  LaneView view;
  view.header = reinterpret_cast<LaneHeader*>(memory);
  view.counters = reinterpret_cast<LaneCounters*>(memory + sizeof(LaneHeader));
  view.black_box = memory + header.black_box_offset;
  view.black_box_bytes = header.black_box_bytes;
  view.ring = memory + header.ring_offset;
  view.ring_lines = header.ring_lines;
  return view;
}

LaneHeader header_of(std::uint32_t ring_lines, std::uint64_t black_box_bytes) noexcept {
  LaneHeader header{};
  header.magic = kLaneMagic;
  header.layout_version = kLayoutVersion;
  header.lane_bytes = lane_bytes(ring_lines, black_box_bytes);
  header.ring_lines = ring_lines;
  header.black_box_offset = sizeof(LaneHeader) + sizeof(LaneCounters);
  header.black_box_bytes = base::align_up(black_box_bytes, base::kLineBytes);
  header.ring_offset = header.black_box_offset + header.black_box_bytes;
  return header;
}

}  // namespace

LaneView view_lane(std::byte* memory, std::uint32_t ring_lines, std::uint64_t black_box_bytes) noexcept {
  return view_of(memory, header_of(ring_lines, black_box_bytes));
}

LaneView format_lane(std::byte* memory, std::uint32_t ring_lines, std::uint64_t black_box_bytes,
                     std::uint32_t owner_pid) noexcept {
  LaneHeader header = header_of(ring_lines, black_box_bytes);
  header.owner_pid = owner_pid;
  std::memcpy(memory, &header, sizeof header);
  return view_of(memory, header);
}

base::Result<LaneView> open_lane(const std::byte* memory, std::uint64_t bytes) {
  LaneHeader header{};
  if (bytes < sizeof header) return base::Fault::violation("a lane is shorter than its header");
  std::memcpy(&header, memory, sizeof header);  // a private copy: what is checked is what is used
  if (header.magic != kLaneMagic) return base::Fault::violation("a lane does not begin with the lane magic");
  if (header.layout_version != kLayoutVersion) {
    return base::Fault{base::Fault::Kind::incompatible, 0,
                       "the peer's lanes have layout version " + std::to_string(header.layout_version) +
                           ", this side's have " + std::to_string(kLayoutVersion)};
  }
  // The sizes bound each other before they are multiplied, so that nothing here can overflow.
  const bool holds = is_ring_size(header.ring_lines) && header.ring_lines <= bytes / base::kLineBytes &&
                     header.black_box_bytes <= bytes && header.black_box_bytes % base::kLineBytes == 0 &&
                     header.black_box_offset == sizeof(LaneHeader) + sizeof(LaneCounters) &&
                     header.ring_offset == header.black_box_offset + header.black_box_bytes &&
                     header.lane_bytes == lane_bytes(header.ring_lines, header.black_box_bytes) &&
                     header.lane_bytes <= bytes;
  if (!holds) return base::Fault::violation("a lane's header names sizes that do not fit together");
  return view_of(const_cast<std::byte*>(memory), header);
}

}  // namespace weft::ring
