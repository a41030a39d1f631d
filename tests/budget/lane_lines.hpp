#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "link/board.hpp"
#include "ring/lane.hpp"

namespace weft::budget {

/// The shared memory between this process and its only worker, as it lies in this process: which cache lines a task
/// writes. Those of the rings are told by how far the frames have come, and the others by what they hold before and
/// after. Both sides shall stand still meanwhile.
class LaneLines {
 public:
  struct State {
    std::uint64_t parents_position;
    std::uint64_t workers_position;
    std::vector<std::byte> parents_rest;
    std::vector<std::byte> workers_rest;
    std::vector<std::byte> board;
  };

  LaneLines() : parents_{lane("weft-parent-lane")}, workers_{lane("weft-thread-lane")} {}

  /// Where the parent's ring goes on, once the worker has begun all that was sent.
  [[nodiscard]] std::uint64_t worker_position() const noexcept {
    return workers_.counters->claimed.load(base::acquire);
  }

  [[nodiscard]] State state() const {
    return {worker_position(), parents_.counters->consumed.load(base::acquire), rest_of(parents_),
            rest_of(workers_), board()};
  }

  /// A line for each side: "parent lines KIND COUNT RING REST".
  void print(std::string_view kind, std::size_t count, const State& before) const {
    const State now = state();
    const auto side = [&](const char* name, std::uint64_t ring, std::size_t rest) {
      std::printf("%s lines %s %zu %zu %zu\n", name, std::string{kind}.c_str(), count,
                  static_cast<std::size_t>(ring), rest);
    };
    side("parent", now.parents_position - before.parents_position,
         changed(before.parents_rest, now.parents_rest) + changed(before.board, now.board));
    side("worker", now.workers_position - before.workers_position,
         changed(before.workers_rest, now.workers_rest));
  }

 private:
  struct Lane {
    const std::byte* begin;
    const std::byte* ring;
    const ring::LaneCounters* counters;
  };

  static const std::byte* mapping(std::string_view name) {
    std::ifstream maps{"/proc/self/maps"};
    for (std::string line; std::getline(maps, line);) {
      if (line.find(name) == std::string::npos) continue;
      return reinterpret_cast<const std::byte*>(std::strtoull(line.c_str(), nullptr, 16));
    }
    std::abort();
  }
  static Lane lane(std::string_view name) {
    const std::byte* const memory = mapping(name);
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, memory + offsetof(ring::LaneHeader, lane_bytes), sizeof bytes);
    auto view = ring::open_lane(memory, bytes);
    if (!view) std::abort();
    return {memory, view->ring, view->counters};
  }
  static std::vector<std::byte> rest_of(const Lane& lane) { return {lane.begin, lane.ring}; }
  static std::vector<std::byte> board() {
    const std::byte* const memory = mapping("weft-board");
    return {memory, memory + sizeof(link::Board)};
  }
  static std::size_t changed(const std::vector<std::byte>& before, const std::vector<std::byte>& now) {
    std::size_t lines = 0;
    for (std::size_t at = 0; at < now.size(); at += base::kLineBytes) {
      lines += std::memcmp(now.data() + at, before.data() + at, base::kLineBytes) != 0;
    }
    return lines;
  }

  Lane parents_;
  Lane workers_;
};

}  // namespace weft::budget
