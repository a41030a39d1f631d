#pragma once

#include <string>
#include <vector>

#include "harness/benchmark.hpp"

namespace weft::bench {

/// Programs that give no figure.
struct PeersLacking {
  std::vector<std::string> absent;  ///< not here, and what they would take
  std::vector<std::string> failed;  ///< while they ran, and why
};

// Peers that need nothing which weft does not need: linked into the program.
void add_weft_as_peer(std::vector<Benchmark>& to);
void add_stream_peers(std::vector<Benchmark>& to);         // pipe, UNIX socket, TCP
void add_wakeup_peers(std::vector<Benchmark>& to);         // eventfd, futex
void add_message_queue_peers(std::vector<Benchmark>& to);  // POSIX, Boost.Interprocess
void add_thread_peers(std::vector<Benchmark>& to);         // Boost.Asio, std::async, Boost.Fiber

/// Those that are programs of their own, since each brings libraries or is a language of its own (peers/README.md tells
/// how they are called). `lacking` must live as long as the benchmarks.
void add_program_peers(std::vector<Benchmark>& to, PeersLacking& lacking);

}  // namespace weft::bench
