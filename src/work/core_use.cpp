#include "work/core_use.hpp"

#include <utility>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "process/cpu_time.hpp"
#include "work/peer.hpp"

namespace weft::work {

void CoreUse::look(std::span<Peer* const> workers, unsigned cores) noexcept {
  // What has ended tells of no time any more.
  const auto since = [](std::uint64_t& before, std::uint64_t now) {
    const std::uint64_t then = std::exchange(before, now);
    return now > then ? now - then : 0;
  };
  const std::uint64_t now = base::now_ns();
  if (now - looked_ns_ < base::kCoresLookNs) return;
  const std::uint64_t elapsed = since(looked_ns_, now);
  std::uint64_t used = since(cpu_time_ns_, process::cpu_time_ns(0));
  for (Peer* const worker : workers) {
    if (!worker->thread) used += since(worker->cpu_time_ns, process::cpu_time_ns(worker->child.pid));
  }
  // The first look has nothing to compare with.
  is_full_ = elapsed != now && used >= elapsed * cores / 4 * 3;
}

}  // namespace weft::work
