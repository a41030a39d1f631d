// There and back by size: copied in a string, handed over in a Buffer, and what a socket takes for it.

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "benchmarks.hpp"
#include "sweeps/sweeps.hpp"
#include "weft_pool.hpp"

namespace weft::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLine = 64;
constexpr auto kTime = 100ms;

std::string echo_text(std::string text) { return text; }

Buffer echo_buffer(Buffer buffer) { return buffer; }

void look_at(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += kLine) sum += static_cast<unsigned>(bytes[i]);
  keep(sum);
}

Buffer read_and_echo(Buffer buffer) {
  look_at(buffer.bytes());
  return buffer;
}

Buffer filled(std::size_t bytes) {
  Buffer buffer{bytes};
  std::memset(buffer.writable().data(), 1, bytes);
  return buffer;
}

void copied(Run& run, std::size_t bytes) {
  PinnedPool pinned{run};
  const std::string text(bytes, 'w');
  run.each_for(kTime, [&] {
    if (pinned.pool.submit<echo_text>(text).get().size() != bytes) std::abort();
  });
}

void handed_over(Run& run, std::size_t bytes) {
  PinnedPool pinned{run};
  const Buffer buffer = filled(bytes);
  run.each_for(kTime, [&] {
    if (pinned.pool.submit<echo_buffer>(buffer).get().size() != bytes) std::abort();
  });
}

void handed_over_and_read(Run& run, std::size_t bytes) {
  PinnedPool pinned{run};
  const Buffer buffer = filled(bytes);
  run.each_for(kTime, [&] { look_at(pinned.pool.submit<read_and_echo>(buffer).get().bytes()); });
}

void through_socket(Run& run, std::size_t bytes) { socket_round_trips(run, bytes, kTime); }

}  // namespace

void add_payload_sweep(std::vector<Benchmark>& to) {
  struct Kind {
    const char* name;
    const char* series;
    void (*run)(Run&, std::size_t);
  };
  static constexpr Kind kKinds[] = {
      {"copied", "std::string, copied", copied},
      {"buffer", "weft::Buffer, handed over", handed_over},
      {"buffer_read", "weft::Buffer, read by both", handed_over_and_read},
      {"unix_socket", "UNIX socket", through_socket},
  };
  for (std::size_t bytes = 64; bytes <= (64U << 20); bytes *= 4) {
    for (const Kind& kind : kKinds) {
      const std::string name = std::string{"payload."} + kind.name + "." + size_name(bytes);
      to.push_back({{{name, "ns", "payload", kind.series, static_cast<double>(bytes)}},
                    [bytes, run_kind = kind.run](Run& run) { run_kind(run, bytes); }});
    }
  }
}

}  // namespace weft::bench
