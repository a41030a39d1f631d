#include "benchmarks.hpp"

namespace weft::bench {

std::vector<Comparison> comparisons() {
  using enum Comparison::Kind;
  using enum Comparison::Wanted;
  return {
      {"ring.round_trip", ratio, "limit.bounce", at_most, 1.15},
      {"task.empty.round_trip", ratio, "limit.bounce", at_most, 1.5},
      {"task.string.round_trip", ratio, "limit.bounce", at_most, 2.5},
      {"task.empty.pipelined", value, "", at_least, 12e6},
      {"task.parked.round_trip", ratio, "limit.eventfd_pair", at_most, 1.2},
      {"channel.round_trip", ratio, "task.empty.round_trip", at_most, 2},
      {"channel.stream", value, "", at_least, 3e6},
      {"buffer.64KiB.round_trip", difference, "task.empty.round_trip", at_most, 2000},
      {"buffer.1MiB.round_trip", difference, "task.empty.round_trip", at_most, 2000},
      {"buffer.16MiB.round_trip", difference, "task.empty.round_trip", at_most, 2000},
      {"buffer.64MiB.round_trip", difference, "task.empty.round_trip", at_most, 2000},
      {"worker.start.exec", ratio, "limit.posix_spawn", at_most, 1.5},
      {"worker.start.zygote", value, "", at_most, 500e3},
      {"worker.start.zygote", ratio, "worker.start.exec", at_most, 0.25},
      {"spatie.50_in_20.zygote", value, "", at_most, 15e6},
      {"pool.idle.ticks", value, "", at_most, 0},
      {"pool.idle.switches", value, "", at_most, 0},
      {"overcommit.8_workers", ratio, "overcommit.2_workers", at_least, 0.85},
      // How far ahead of what there is today.
      {"baseline.unix_socket.round_trip", ratio, "task.empty.round_trip", nothing, 0},
      {"baseline.unix_socket.64KiB.round_trip", ratio, "buffer.64KiB.round_trip", nothing, 0},
      {"baseline.unix_socket.1MiB.round_trip", ratio, "buffer.1MiB.round_trip", nothing, 0},
      {"baseline.unix_socket.16MiB.round_trip", ratio, "buffer.16MiB.round_trip", nothing, 0},
      {"baseline.pipe.round_trip", ratio, "task.empty.round_trip", nothing, 0},
      {"baseline.message_queue.round_trip", ratio, "task.empty.round_trip", nothing, 0},
      {"baseline.asio_thread_pool.round_trip", ratio, "task.empty.round_trip", nothing, 0},
      {"task.empty.pipelined", ratio, "baseline.asio_thread_pool.pipelined", nothing, 0},
  };
}

}  // namespace weft::bench
