#include "benchmarks.hpp"

namespace weft::bench {

std::vector<Comparison> comparisons() {
  using enum Comparison::Kind;
  using enum Comparison::Wanted;
  constexpr double kMiB = 1 << 20;
  return {
      {"ring.round_trip", ratio, "limit.bounce", at_most, 1.15},
      {"task.empty.round_trip", ratio, "limit.bounce", at_most, 1.25},
      {"task.empty.round_trip", tail_ratio, "limit.bounce", at_most, 20},
      {"task.thread.round_trip", ratio, "limit.bounce", at_most, 1.25},
      {"task.string.round_trip", ratio, "limit.bounce", at_most, 1.8},
      {"task.empty.pipelined", value, "", at_least, 20e6},
      {"task.empty.pipelined", ratio, "baseline.asio_thread_pool.pipelined", at_least, 4},
      {"task.empty.pipelined", ratio, "baseline.onetbb.pipelined", at_least, 4},
      {"task.empty.pipelined", ratio, "baseline.boost_fiber.pipelined", at_least, 4},
      {"task.parked.round_trip", ratio, "limit.eventfd_pair", at_most, 1.15},
      {"task.after_1ms.round_trip", ratio, "limit.eventfd_pair.1ms", at_most, 1.15},
      {"task.after_1ms.busy_poll", ratio, "limit.eventfd_pair.1ms", nothing, 0},
      {"channel.round_trip", ratio, "task.empty.round_trip", at_most, 2},
      {"channel.stream", value, "", at_least, 3e6},
      {"buffer.64KiB.round_trip", difference, "task.empty.round_trip", at_most, 1000},
      {"buffer.1MiB.round_trip", difference, "task.empty.round_trip", at_most, 1000},
      {"buffer.16MiB.round_trip", difference, "task.empty.round_trip", at_most, 1000},
      {"buffer.64MiB.round_trip", difference, "task.empty.round_trip", at_most, 1000},
      {"buffer.16MiB.touched", ratio, "limit.touch.16MiB", at_most, 1.05},
      {"buffer.16MiB.touched.busy_poll", ratio, "limit.touch.16MiB", at_most, 1.05},
      {"map.1us.of_ideal", value, "", at_least, 90},
      {"map.empty", value, "", at_least, 40e6},
      {"two_workers.1us.of_ideal", value, "", at_least, 90},
      {"queue.bytes_each", value, "", at_most, 100},
      {"queue.drain", ratio, "task.empty.pipelined", at_least, 1},
      // What a worker has been handed is not overtaken: 100 us of work, and the task's own 10.
      {"priority.high.latency", value, "", at_most, 120e3},
      {"priority.high.waits_for", value, "", at_most, 11},
      {"fairness.trickle.latency", value, "", at_most, 120e3},
      {"fairness.trickle.waits_for", value, "", at_most, 12},
      // Less than one wake of another process, which a lock that sleeps in the kernel would need.
      {"shared.mutex.lock_unlock", ratio, "limit.eventfd_pair.busy", at_most, 1},
      {"shared.parcel.synchronized", ratio, "limit.eventfd_pair.busy", at_most, 1},
      {"worker.start.exec", ratio, "limit.posix_spawn", at_most, 1.5},
      {"worker.start.zygote", value, "", at_most, 500e3},
      {"worker.start.zygote", ratio, "worker.start.exec", at_most, 0.25},
      {"worker.idle.pss", value, "", at_most, kMiB},
      {"worker.idle.pss", ratio, "limit.idle.pss", nothing, 0},
      {"spatie.50_in_20.zygote", value, "", at_most, 15e6},
      {"pool.idle.ticks", value, "", at_most, 0},
      {"pool.idle.switches", value, "", at_most, 0},
      {"pool.idle_64.ticks", value, "", at_most, 0},
      {"overcommit.8_workers", ratio, "overcommit.2_workers", at_least, 0.85},
      {"overcommit.16_workers", ratio, "overcommit.2_workers", at_least, 0.85},
      // How far ahead of what there is today.
      {"baseline.unix_socket.round_trip", ratio, "task.empty.round_trip", nothing, 0},
      {"baseline.unix_socket.64KiB.round_trip", ratio, "buffer.64KiB.round_trip", nothing, 0},
      {"baseline.unix_socket.1MiB.round_trip", ratio, "buffer.1MiB.round_trip", nothing, 0},
      {"baseline.unix_socket.16MiB.round_trip", ratio, "buffer.16MiB.round_trip", nothing, 0},
      {"baseline.pipe.round_trip", ratio, "task.empty.round_trip", nothing, 0},
      {"baseline.message_queue.round_trip", ratio, "task.empty.round_trip", nothing, 0},
      {"baseline.asio_thread_pool.round_trip", ratio, "task.empty.round_trip", at_least, 20},
  };
}

}  // namespace weft::bench
